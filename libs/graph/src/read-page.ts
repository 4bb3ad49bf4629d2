import { PermanentError } from '@gatehouse/messages'
import { z } from 'zod'
import { unreadableAnswer } from './classify.ts'

const Page = z.object({
  value: z.array(z.unknown()),
  '@odata.nextLink': z.string().min(1).optional(),
  '@odata.deltaLink': z.string().min(1).optional(),
})

export type Page = {
  readonly rows: readonly unknown[]
  /** Path of the next page, exactly as Graph wrote it. */
  readonly next: string | undefined
  readonly deltaLink: string | undefined
}

const LINK_CHARACTERS_MAX = 32_768

/** A page of a list. Throws RetryableError('graph-answer-unreadable') when it is none, PermanentError('graph-foreign-link'). */
export function readPage(body: unknown, endpoint: URL): Page {
  const parsed = Page.safeParse(body)
  if (!parsed.success) throw unreadableAnswer(parsed.error)
  const { value, '@odata.nextLink': next, '@odata.deltaLink': deltaLink } = parsed.data
  if (deltaLink !== undefined) pathOfLink(deltaLink, endpoint)
  return { rows: value, next: next === undefined ? undefined : pathOfLink(next, endpoint), deltaLink }
}

/**
 * The path of a link Graph gave, without a change. The token goes with it, so it must lead to where the token belongs.
 * @throws PermanentError('graph-foreign-link')
 */
export function pathOfLink(link: string, endpoint: URL): string {
  const path = /^https?:\/\/[^/?#\\]+(\/[\u0021-\u007e]*)$/i.exec(link)?.[1]
  const url = URL.canParse(link) ? new URL(link) : undefined
  const isOurs = url !== undefined && url.origin === endpoint.origin && url.username === '' && url.password === ''
  if (path !== undefined && isOurs && link.length <= LINK_CHARACTERS_MAX) return path
  throw new PermanentError('graph-foreign-link', `Graph gave a link that does not lead to ${endpoint.origin}`, {
    detail: { link: link.slice(0, 100).split('?')[0] ?? '' },
  })
}
