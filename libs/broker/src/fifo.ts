/** A queue whose first element is taken in constant time; an array's `shift` moves everything once it is long. */
export class Fifo<T> {
  private items: T[] = []
  private head = 0

  get size(): number {
    return this.items.length - this.head
  }

  *[Symbol.iterator](): Generator<T, void> {
    for (let index = this.head; index < this.items.length; index++) yield this.items[index] as T
  }

  push(item: T): void {
    this.items.push(item)
  }

  shift(): T | undefined {
    if (this.head === this.items.length) return undefined
    const item = this.items[this.head] as T
    this.items[this.head++] = undefined as T
    if (this.head > 1_024 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head)
      this.head = 0
    }
    return item
  }

  /** Puts items before all others, in their order. */
  prepend(items: readonly T[]): void {
    this.items = [...items, ...this.items.slice(this.head)]
    this.head = 0
  }

  /** Takes out everything that does not satisfy the condition, and gives it back. */
  keep(isKept: (item: T) => boolean): T[] {
    const all = this.items.slice(this.head)
    this.items = all.filter(isKept)
    this.head = 0
    return all.filter((item) => !isKept(item))
  }
}
