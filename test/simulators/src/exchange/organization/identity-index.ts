/** Objects by everything they may be called by. Exchange compares names without case. */
export class IdentityIndex<T> {
  #byKey = new Map<string, Set<T>>()

  add(object: T, names: readonly (string | null | undefined)[]): void {
    for (const name of names) {
      if (name === null || name === undefined || name === '') continue
      const key = name.toLowerCase()
      const objects = this.#byKey.get(key)
      if (objects === undefined) this.#byKey.set(key, new Set([object]))
      else objects.add(object)
    }
  }

  remove(object: T): void {
    for (const [key, objects] of this.#byKey) {
      if (objects.delete(object) && objects.size === 0) this.#byKey.delete(key)
    }
  }

  find(identity: string): T[] {
    return [...(this.#byKey.get(identity.toLowerCase()) ?? [])]
  }
}
