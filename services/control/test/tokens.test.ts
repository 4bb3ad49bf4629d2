import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Worker } from '@gatehouse/worker'
import { afterAll, expect, it } from 'vitest'
import { createTokensReader } from '../src/api/create-tokens-reader.ts'

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-test-'))
const path = join(folder, 'api-token')
const log = { warn: () => {} } as unknown as Worker['log']
afterAll(() => rmSync(folder, { recursive: true, force: true }))

it('gives the tokens of the file as it is now, one a line, and those from before while it cannot be read', () => {
  writeFileSync(path, 'old\n')
  const read = createTokensReader(path, log)

  writeFileSync(path, 'new\r\nold\n')
  expect(read()).toEqual(['new', 'old'])

  writeFileSync(path, '')
  expect(read()).toEqual(['new', 'old'])

  writeFileSync(path, 'new\n')
  expect(read()).toEqual(['new'])
})
