import { describe, expect, it } from 'vitest'
import { findLogBreaches, readVocabulary } from './check-log-calls.ts'

const VOCABULARY = new Set(['err', 'mailboxId', 'code'])

const breachesOf = (text: string, path = 'libs/x/src/a.ts') =>
  findLogBreaches([{ path, text }], VOCABULARY).filter((breach) => !breach.includes('nobody logs'))

describe('the vocabulary', () => {
  it('is what the tables of the page explain', () => {
    const page =
      '# Logs\n\n| key | meaning |\n|---|---|\n| `err` | the error |\n| `mailboxId` | `x` |\n\nSee `code`.\n| info | 30 |\n'

    expect([...readVocabulary(page)]).toEqual(['err', 'mailboxId'])
  })

  it('holds no word that nobody uses, but those of the logger itself', () => {
    const files = [{ path: 'libs/x/src/a.ts', text: "log.warn({ err }, 'x')" }]

    expect(findLogBreaches(files, new Set(['err', 'traceId', 'code']))).toEqual(['docs/operations/logs.md: nobody logs code'])
  })
})

describe('a log call', () => {
  it('has a constant message', () => {
    expect(breachesOf("log.warn({ err }, 'x')\nlog.info('x')\nthis.options.log.warn({ err }, a ? 'x' : 'y')")).toEqual([])
    expect(breachesOf(`log.warn({ err }, \`no \${name}\`)`)).toEqual([
      'libs/x/src/a.ts:1: the message is not a constant: what varies is a fact and has a key',
    ])
    expect(breachesOf('log.fatal(message)')).toHaveLength(1)
    expect(breachesOf("deps.log.error({ err }, 'x' + name)")).toHaveLength(1)
  })

  it('has only keys of the vocabulary, however it is written', () => {
    for (const call of [
      "log.warn({ mailbox: 1 }, 'x')",
      "logger.warn({ 'mailbox': 1 }, 'x')",
      'worker.log.child({ mailbox })',
      "deps.log[isBad ? 'warn' : 'info']({ mailbox }, 'x')",
      "log.warn({ err, ...(isBad && { mailbox }) }, 'x')",
      "log.warn(isBad ? { err } : { mailbox }, 'x')",
      "{ const fields = { mailbox }\nif (isBad) { log.warn({ ...fields, err }, 'x') } }",
    ])
      expect(breachesOf(call), call).toEqual([
        expect.stringMatching(/^libs\/x\/src\/a\.ts:\d: mailbox is not in the vocabulary of docs\/operations\/logs\.md$/),
      ])
  })

  it('names its keys where it is, so that they can be told', () => {
    for (const call of ["log.warn(change, 'x')", "log.warn({ ...row }, 'x')", "log.warn({ ...error.detail }, 'x')"])
      expect(breachesOf(call), call).toEqual([expect.stringContaining('cannot be told here')])
    expect(breachesOf("log.warn({ [key]: 1 }, 'x')")).toEqual(['libs/x/src/a.ts:1: a computed key'])
  })

  it('takes the nearest constant of a name', () => {
    const text = "const fields = { mailbox }\nfunction f() { const fields = { err }\nlog.warn(fields, 'x') }"

    expect(breachesOf(text)).toEqual([])
  })

  it('is told from what only looks like one, and from tests', () => {
    expect(breachesOf(`console.log('x')\noptions.log(\`Files of \${name}\`)\nMath.log(2)\ncatalogue.info({ a }, b)`)).toEqual(
      [],
    )
    expect(breachesOf('log.warn({ a }, `x`)', 'libs/x/src/a.test.ts')).toEqual([])
    expect(breachesOf('log.warn({ a }, `x`)', 'test/environment/a.ts')).toEqual([])
  })
})
