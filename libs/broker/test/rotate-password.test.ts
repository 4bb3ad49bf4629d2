import { expect, it } from 'vitest'
import { startCuttableProxy } from '../../../test/environment/cuttable-proxy.ts'
import { type BrokerUnderTest, until, useBroker } from './broker-under-test.ts'

let broker: BrokerUnderTest
useBroker((started) => {
  broker = started
})

it('goes on when its password is changed: the connection stays, the next one is made with the new password', async () => {
  await using proxy = await startCuttableProxy(broker.url)
  const user = `${broker.vhost}-discovery`
  let password = user
  const refusals: unknown[] = []
  const log = { info() {}, debug() {}, error() {}, warn: (fields: { reason?: unknown }) => void refusals.push(fields.reason) }
  await using connection = await broker.connect({ url: proxy.url, user, password: () => password, log })

  await broker.manage({ method: 'PUT', path: `/api/users/${user}`, body: { password: 'changed', tags: '' } })
  expect(await connection.findMissingTopology('discovery', broker.signal)).toEqual([])
  proxy.cut()
  await until(() => refusals.some((reason) => String(reason).includes('ACCESS_REFUSED')))
  password = 'changed'

  await until(() => connection.state === 'ready')
  expect(await connection.findMissingTopology('discovery', broker.signal)).toEqual([])
})
