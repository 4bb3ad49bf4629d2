import type { FastifyRequest } from 'fastify'

/** There is one token, so one actor; who holds it is the administrator's affair. */
const API_ACTOR = 'api'

/** Who asks: the holder of the token, and who that says to be, if anybody. */
export function actorOf(request: FastifyRequest): string {
  const said = request.headers['gatehouse-actor']
  const name = (Array.isArray(said) ? said[0] : said)
    ?.replace(/[^\x20-\x7e]/g, '')
    .trim()
    .slice(0, 100)
  return name === undefined || name === '' ? API_ACTOR : `${API_ACTOR} (${name})`
}
