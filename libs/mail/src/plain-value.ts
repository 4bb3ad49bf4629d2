const CHARACTERS_MAX = 200

/**
 * An untrusted value as one short line of harmless text. Mail programs turn bare text into links by themselves, so what they
 * look for is broken here: schemes (`://`, `mailto:`) and host names (a dot before a letter). Control characters, line
 * breaks and the marks that reorder or hide text are dropped, so that a name cannot pose as something else.
 */
export function plainValue(value: string): string {
  const line = value
    .toWellFormed()
    .normalize('NFC')
    .replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .replace(/[\p{Cf}\p{Co}\p{Cn}]/gu, '')
    .replace(/(?<=[\p{L}\d]):(?=[^\s\d])/gu, ': ')
    .replace(/\/{2,}/gu, '/')
    // U+2024 looks like the dot it replaces and is no part of any host name.
    .replace(/[.。。.](?=[\p{L}\p{M}\p{N}])/gu, dotOf)
    .trim()
  const characters = [...line]
  return characters.length <= CHARACTERS_MAX ? line : `${characters.slice(0, CHARACTERS_MAX - 1).join('')}…`
}

/** Versions keep their dots: a dot between two digits makes no host name. */
function dotOf(_match: string, offset: number, whole: string): string {
  const isDigit = (character: string | undefined) => character !== undefined && /\d/.test(character)
  return isDigit(whole[offset - 1]) && isDigit(whole[offset + 1]) ? '.' : '\u2024'
}
