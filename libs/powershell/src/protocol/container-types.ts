/** The types under which a JavaScript array and a plain object or Map are sent. */
export const ARRAY_TYPES: readonly string[] = ['System.Object[]', 'System.Array', 'System.Object']
export const HASHTABLE_TYPES: readonly string[] = ['System.Collections.Hashtable', 'System.Object']
