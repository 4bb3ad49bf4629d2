import { readFile } from 'node:fs/promises'
import { PermanentError } from '@gatehouse/messages'
import { type Answers, GIVEN_SECRETS, type GivenSecret, QUESTIONS, type QuestionKey } from './installation.ts'
import type { NewFiles } from './new-files.ts'

/** Asks at the terminal; what is hidden is not shown while it is typed. */
export type Ask = (question: string, options: { hidden: boolean }) => Promise<string>

export type Given = {
  readonly answers: Partial<Record<QuestionKey, string>>
  readonly secretFiles: Partial<Record<GivenSecret, string>>
}

export type Found = { readonly answers: Answers | undefined; readonly secrets: Partial<Record<GivenSecret, string>> }

/**
 * What is still needed and neither there nor given as an option is asked for, one after the other.
 * @throws PermanentError `usage` that names every option that is missing, where there is nobody to ask.
 */
export async function findAnswers(files: NewFiles, given: Given, ask: Ask | undefined): Promise<Found> {
  const isSettled = (await files.read('gatehouse.yaml')) !== undefined
  const questions = isSettled ? [] : QUESTIONS.filter(({ key }) => given.answers[key] === undefined)
  const secrets: Partial<Record<GivenSecret, string>> = {}
  const unknown: (typeof GIVEN_SECRETS)[number][] = []
  for (const secret of GIVEN_SECRETS) {
    if ((await files.read(`secrets/${secret.file}`)) !== undefined) continue
    const path = given.secretFiles[secret.file]
    if (path === undefined) unknown.push(secret)
    else secrets[secret.file] = await readGiven(path)
  }
  if (ask === undefined && questions.length + unknown.length > 0) throw missing([...questions, ...unknown])
  const answers: Partial<Record<QuestionKey, string>> = { ...given.answers }
  for (const { key, text } of questions) answers[key] = await askUntilAnswered(ask, text, false)
  for (const { file, text } of unknown) secrets[file] = await askUntilAnswered(ask, text, true)
  return { answers: isSettled ? undefined : (answers as Answers), secrets }
}

function missing(what: readonly { flag: string }[]): PermanentError {
  const flags = what.map(({ flag }) => flag).join(', ')
  return new PermanentError('usage', `Nobody can be asked here, so these are needed: ${flags} (or --demo)`)
}

async function askUntilAnswered(ask: Ask | undefined, text: string, hidden: boolean): Promise<string> {
  for (;;) {
    const answer = (await ask?.(`${text}: `, { hidden }))?.trim() ?? ''
    if (answer !== '') return answer
  }
}

async function readGiven(path: string): Promise<string> {
  try {
    const text = (await readFile(path, 'utf8')).trim()
    if (text !== '') return text
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new PermanentError('secret-unreadable', `The secret file ${path} cannot be read: ${code}`, { cause })
  }
  throw new PermanentError('secret-unreadable', `The secret file ${path} is empty`)
}
