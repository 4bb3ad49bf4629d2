import { deviceIdKey, layOver } from '@gatehouse/store'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AccessChangeInput, planAccessChange } from './plan-access-change.ts'
import { shows } from './shows.ts'

type Exemption = 'allow' | 'block' | 'none' | null

/** One device `A`, spelt `ApplA` by Exchange. Lists hold `a` for ours and `admin` marks an administrator's entry. */
const single = (
  exemption: Exemption | 'gone',
  on: { allow?: 'ours' | 'admin'; block?: 'ours' | 'admin' },
): AccessChangeInput => ({
  devices: exemption === 'gone' ? [] : [{ deviceId: 'ApplA', exemption }],
  lists: { allowed: on.allow ? ['APPLA'] : [], blocked: on.block ? ['appla'] : [] },
  own: [
    ...(on.allow === 'ours' ? [{ key: 'appla', list: 'allow' as const, isFresh: false }] : []),
    ...(on.block === 'ours' ? [{ key: 'appla', list: 'block' as const, isFresh: false }] : []),
  ],
})

const changes = (input: AccessChangeInput) =>
  Object.fromEntries(Object.entries(planAccessChange(input).plan).filter(([, ids]) => ids.length > 0))

const TABLE: [Exemption | 'gone', Parameters<typeof single>[1], Record<string, string[]>][] = [
  ['allow', {}, { allowAdd: ['ApplA'] }],
  ['allow', { allow: 'ours' }, {}],
  ['allow', { allow: 'admin' }, {}],
  ['allow', { block: 'ours' }, { allowAdd: ['ApplA'], blockRemove: ['appla'] }],
  ['allow', { block: 'admin' }, {}],
  ['allow', { allow: 'ours', block: 'ours' }, { blockRemove: ['appla'] }],
  ['allow', { allow: 'admin', block: 'ours' }, { blockRemove: ['appla'] }],
  ['allow', { allow: 'ours', block: 'admin' }, { allowRemove: ['APPLA'] }],
  ['allow', { allow: 'admin', block: 'admin' }, {}],
  ['block', {}, { blockAdd: ['ApplA'] }],
  ['block', { block: 'ours' }, {}],
  ['block', { block: 'admin' }, {}],
  ['block', { allow: 'ours' }, { allowRemove: ['APPLA'], blockAdd: ['ApplA'] }],
  ['block', { allow: 'admin' }, {}],
  ['block', { allow: 'ours', block: 'ours' }, { allowRemove: ['APPLA'] }],
  ['block', { allow: 'ours', block: 'admin' }, { allowRemove: ['APPLA'] }],
  ['block', { allow: 'admin', block: 'ours' }, { blockRemove: ['appla'] }],
  ['block', { allow: 'admin', block: 'admin' }, {}],
  ['none', {}, {}],
  ['none', { allow: 'ours' }, { allowRemove: ['APPLA'] }],
  ['none', { block: 'ours' }, { blockRemove: ['appla'] }],
  ['none', { allow: 'ours', block: 'ours' }, { allowRemove: ['APPLA'], blockRemove: ['appla'] }],
  ['none', { allow: 'admin' }, {}],
  ['none', { block: 'admin' }, {}],
  ['none', { allow: 'admin', block: 'ours' }, { blockRemove: ['appla'] }],
  ['none', { allow: 'ours', block: 'admin' }, { allowRemove: ['APPLA'] }],
  ['gone', { allow: 'ours' }, { allowRemove: ['APPLA'] }],
  ['gone', { block: 'ours' }, { blockRemove: ['appla'] }],
  ['gone', { allow: 'admin' }, {}],
  [null, {}, {}],
  [null, { allow: 'ours' }, {}],
  [null, { allow: 'ours', block: 'ours' }, {}],
]

describe('the change of a mailbox', () => {
  it.each(TABLE)('of a device that is to be %s and is on %j is %j', (exemption, on, expected) => {
    expect(changes(single(exemption, on))).toEqual(expected)
  })

  it('lets a block outrank an allow of the same device id', () => {
    const devices: AccessChangeInput['devices'] = [
      { deviceId: 'A', exemption: 'allow' },
      { deviceId: 'a', exemption: 'block' },
    ]

    expect(changes({ devices, lists: { allowed: [], blocked: [] }, own: [] })).toEqual({ blockAdd: ['A'] })
  })

  it('waits for a partnership that is not decided yet', () => {
    const devices: AccessChangeInput['devices'] = [
      { deviceId: 'A', exemption: 'allow' },
      { deviceId: 'a', exemption: null },
    ]

    expect(changes({ devices, lists: { allowed: [], blocked: [] }, own: [] })).toEqual({})
  })

  it('no longer takes for ours what is gone without us, unless it is so fresh that the directory may be behind', () => {
    const own = [
      { key: 'old', list: 'allow' as const, isFresh: false },
      { key: 'new', list: 'allow' as const, isFresh: true },
    ]

    expect(planAccessChange({ devices: [], lists: { allowed: [], blocked: [] }, own }).disown).toEqual([
      { key: 'old', list: 'allow' },
    ])
  })

  it('says which entries become ours and which no longer are', () => {
    expect(planAccessChange(single('block', { allow: 'ours' }))).toMatchObject({
      own: [{ key: 'appla', list: 'block', deviceId: 'ApplA' }],
      disown: [{ key: 'appla', list: 'allow' }],
    })
  })
})

const id = fc.constantFrom('a', 'A', 'b', 'B', 'c', 'd', 'E')
const input: fc.Arbitrary<AccessChangeInput> = fc.record({
  devices: fc.array(fc.record({ deviceId: id, exemption: fc.constantFrom<Exemption>('allow', 'block', 'none', null) }), {
    maxLength: 8,
  }),
  lists: fc.record({ allowed: fc.uniqueArray(id), blocked: fc.uniqueArray(id) }),
  own: fc.uniqueArray(
    fc.record({
      key: id.map(deviceIdKey),
      list: fc.constantFrom('allow' as const, 'block' as const),
      isFresh: fc.boolean(),
    }),
    { selector: ({ key, list }) => `${list}:${key}` },
  ),
})

const ownedBy = (own: readonly { key: string; list: string }[], list: string) =>
  new Set(own.filter((entry) => entry.list === list).map(({ key }) => key))

describe('every change of a mailbox', () => {
  it('leaves nothing to change', () => {
    fc.assert(
      fc.property(input, (given) => {
        const first = planAccessChange(given)
        const disowned = new Set(first.disown.map(({ key, list }) => `${list}:${key}`))
        const own = [
          ...given.own.filter(({ key, list }) => !disowned.has(`${list}:${key}`)),
          ...first.own.map(({ key, list }) => ({ key, list, isFresh: true })),
        ]

        const second = planAccessChange({ ...given, lists: first.after, own })

        expect(second).toMatchObject({ isEmpty: true, own: [] })
      }),
    )
  })

  it("keeps every administrator's entry", () => {
    fc.assert(
      fc.property(input, (given) => {
        const { after } = planAccessChange(given)
        const ours = { allow: ownedBy(given.own, 'allow'), block: ownedBy(given.own, 'block') }

        for (const entry of given.lists.allowed) if (!ours.allow.has(deviceIdKey(entry))) expect(after.allowed).toContain(entry)
        for (const entry of given.lists.blocked) if (!ours.block.has(deviceIdKey(entry))) expect(after.blocked).toContain(entry)
      }),
    )
  })

  it('adds nothing that is there, removes nothing that is not, and can be laid over its own result', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { plan, after } = planAccessChange(given)
        const allowed = new Set(given.lists.allowed.map(deviceIdKey))
        const blocked = new Set(given.lists.blocked.map(deviceIdKey))

        expect(plan.allowAdd.some((entry) => allowed.has(deviceIdKey(entry)))).toBe(false)
        expect(plan.blockAdd.some((entry) => blocked.has(deviceIdKey(entry)))).toBe(false)
        expect(given.lists.allowed).toEqual(expect.arrayContaining(plan.allowRemove))
        expect(given.lists.blocked).toEqual(expect.arrayContaining(plan.blockRemove))
        expect(shows(after, plan)).toBe(true)
        expect(layOver(after, plan)).toEqual(after)
      }),
    )
  })

  it('brings in whoever is allowed and keeps out whoever is blocked, where no administrator has a say', () => {
    fc.assert(
      fc.property(input, (given) => {
        const { after } = planAccessChange({ ...given, own: [...given.own], lists: { allowed: [], blocked: [] } })
        const wanted = Map.groupBy(given.devices, ({ deviceId }) => deviceIdKey(deviceId))

        for (const [key, devices] of wanted) {
          const exemptions = devices.map(({ exemption }) => exemption)
          const isBlocked = exemptions.includes('block')
          const isAllowed = !isBlocked && !exemptions.includes(null) && exemptions.includes('allow')
          expect(after.blocked.map(deviceIdKey).includes(key)).toBe(isBlocked)
          expect(after.allowed.map(deviceIdKey).includes(key)).toBe(isAllowed)
        }
      }),
    )
  })
})
