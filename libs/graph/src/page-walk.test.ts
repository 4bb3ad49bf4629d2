import { expect, it } from 'vitest'
import { addPage, createPageWalk, WALK_PAGES_MAX, WALK_ROWS_MAX } from './page-walk.ts'

it('collects the rows of the pages, the later of two with one id, and counts those that cannot be read', () => {
  const walk = createPageWalk<{ id: string; n?: number }>('/1', 0)
  addPage(walk, { rows: [{ id: 'a', n: 1 }, undefined, { id: 'b' }], next: '/2' })
  addPage(walk, { rows: [{ id: 'a', n: 2 }], next: undefined })

  expect([...walk.rows.values()]).toEqual([{ id: 'a', n: 2 }, { id: 'b' }])
  expect(walk).toMatchObject({ rejected: 1, next: undefined })
})

it('ends a walk that comes back to where it was', () => {
  const walk = createPageWalk<{ id: string }>('/1', 0)
  addPage(walk, { rows: [], next: '/2' })

  expect(() => addPage(walk, { rows: [], next: '/1' })).toThrow(expect.objectContaining({ code: 'graph-paging-endless' }))
})

it('ends a walk of too many pages', () => {
  const walk = createPageWalk<{ id: string }>('/0', 0)
  for (let page = 1; page < WALK_PAGES_MAX; page += 1) addPage(walk, { rows: [], next: `/${page}` })

  expect(() => addPage(walk, { rows: [], next: '/more' })).toThrow(expect.objectContaining({ code: 'graph-paging-endless' }))
})

it('ends a walk of too many rows', () => {
  const walk = createPageWalk<{ id: string }>('/0', 0)
  const rows = new Array<undefined>(WALK_ROWS_MAX + 1).fill(undefined)

  expect(() => addPage(walk, { rows, next: undefined })).toThrow(expect.objectContaining({ code: 'graph-answer-too-large' }))
})
