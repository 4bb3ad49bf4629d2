import type { SentMail } from '../ledger.ts'

/** One message in an account's Sent Items. */
export type SentItem = SentMail & {
  id: string
  body: string
  /** By field key (field-key.ts). */
  extended: Map<string, { uri: Record<string, string>; value: string }>
}

/** Every account's Sent Items, oldest first. */
export class SentItems {
  #byAccount = new Map<string, SentItem[]>()

  add(account: string, item: SentItem): void {
    const items = this.#byAccount.get(account)
    if (items === undefined) this.#byAccount.set(account, [item])
    else items.push(item)
  }

  of(account: string): readonly SentItem[] {
    return this.#byAccount.get(account) ?? []
  }
}
