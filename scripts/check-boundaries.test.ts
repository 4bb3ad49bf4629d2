import { describe, expect, it } from 'vitest'
import { findBreaches, listImports } from './check-boundaries.ts'

const breachesOf = (path: string, text = '') => findBreaches([{ path, text }])

describe('the rules of the layout', () => {
  it('let policy and the remoting protocol import nothing that does I/O', () => {
    expect(breachesOf('libs/policy/src/decide.ts', "import { readFileSync } from 'node:fs'")).toHaveLength(1)
    expect(breachesOf('libs/policy/src/decide.ts', "import type { Store } from '@gatehouse/store'")).toHaveLength(1)
    expect(breachesOf('libs/powershell/src/protocol/clixml.ts', "export { x } from '../wsman/transport.ts'")).toHaveLength(1)
    expect(breachesOf('libs/powershell/src/protocol/clixml.ts', "const x = await import('undici')")).toHaveLength(1)
    expect(
      breachesOf('libs/powershell/src/protocol/clixml.ts', "import saxes from 'saxes'\nimport { x } from './guid.ts'"),
    ).toEqual([])
    expect(breachesOf('libs/powershell/src/transport.ts', "import { request } from 'undici'")).toEqual([])
    expect(breachesOf('libs/policy/src/decide.test.ts', "import { readFileSync } from 'node:fs'")).toEqual([])
  })

  it('let simulators share nothing with the product but the protocol', () => {
    expect(
      breachesOf('test/simulators/src/exchange.ts', "import { ServerPool } from '@gatehouse/powershell/protocol'"),
    ).toEqual([])
    expect(breachesOf('test/simulators/src/exchange.ts', "import { classify } from '@gatehouse/exchange'")).toHaveLength(1)
    expect(breachesOf('test/simulators/src/exchange.ts', "import { x } from '@gatehouse/powershell'")).toHaveLength(1)
    expect(
      breachesOf('test/simulators/src/exchange.ts', "import { x } from '../../../libs/exchange/src/classify.ts'"),
    ).toHaveLength(1)
    expect(
      breachesOf('test/simulators/test/exchange.test.ts', "import { createRemotingEngine } from '@gatehouse/powershell'"),
    ).toEqual([])
  })

  it('let only the command line and tests start simulators', () => {
    const text = "import { startExchange } from '@gatehouse/simulators'"

    expect(breachesOf('services/discovery/src/main.ts', text)).toHaveLength(1)
    for (const path of ['services/cli/src/main.ts', 'test/end-to-end/sync.test.ts', 'libs/exchange/test/exchange.test.ts']) {
      expect(breachesOf(path, text)).toEqual([])
    }
  })

  it("refuse imports past a package's exports", () => {
    expect(breachesOf('services/cli/src/main.ts', "import { x } from '@gatehouse/store/src/schema.ts'")).toHaveLength(1)
    expect(breachesOf('services/cli/src/main.ts', "import { x } from '@gatehouse/store/local'")).toEqual([])
  })

  it('refuse names that say nothing, and files that are too long', () => {
    expect(breachesOf('libs/x/src/utils/a.ts')).toHaveLength(1)
    expect(breachesOf('libs/x/src/types.ts')).toHaveLength(1)
    expect(breachesOf('libs/x/src/helpers.test.ts')).toHaveLength(1)
    expect(breachesOf('libs/x/src/common-names.ts')).toEqual([])
    expect(breachesOf('libs/x/src/a.ts', 'x\n'.repeat(400))).toEqual([])
    expect(breachesOf('libs/x/src/a.ts', 'x\n'.repeat(401))).toEqual(['libs/x/src/a.ts: 401 lines, at most 400'])
  })
})

describe('the imports of a source', () => {
  it('are found in every form, and not in comments', () => {
    const text = `
      import a from 'a'
      import { b,
        c } from "b"
      import type { D } from './d.ts'
      export * from 'e'
      import 'f'
      const g = await import('g')
      // import h from 'h'
      /* import i from 'i' */`

    expect(listImports(text)).toEqual(['a', 'b', './d.ts', 'e', 'f', 'g'])
  })
})
