import fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { retryReads } from './retry-reads.ts'

const lost = Object.assign(new Error('terminating connection due to administrator command'), { code: '57P01' })

function createApp(failures: Error[]) {
  const app = fastify()
  const handler = async () => {
    const failure = failures.shift()
    if (failure !== undefined) throw failure
    return { fine: true }
  }
  app.get('/', retryReads(handler))
  return app
}

describe('a read of the API', () => {
  it('survives the loss of its database connection', async () => {
    expect((await createApp([lost, new Error('Connection terminated unexpectedly')]).inject('/')).json()).toEqual({
      fine: true,
    })
  })

  it('gives up when the database stays away, and at once for anything else', async () => {
    expect((await createApp([lost, lost, lost]).inject('/')).statusCode).toBe(500)
    expect((await createApp([new Error('syntax error')]).inject('/')).statusCode).toBe(500)
  })
})
