import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PermanentError } from '@gatehouse/messages'

/** A container's user must be able to read a secret whose owner is somebody else; the folder lets nobody else in. */
const SECRET_MODE = 0o444
const FILE_MODE = 0o644
const FOLDER_MODE = 0o700

/** The files of an installation. What is there stays as it is; what was written is told in `written`. */
export class NewFiles {
  readonly written: string[] = []
  private readonly directory: string

  constructor(directory: string) {
    this.directory = directory
  }

  async read(name: string): Promise<string | undefined> {
    const path = join(this.directory, name)
    try {
      return await readFile(path, 'utf8')
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
      throw new PermanentError('file-unreadable', `${path} cannot be read: ${(cause as NodeJS.ErrnoException).code}`, { cause })
    }
  }

  /** The text of the file; `create` is asked for it when there is none. Line ends around a secret do not count. */
  async keepSecret(name: string, create: () => string | Promise<string>): Promise<string> {
    const kept = (await this.read(join('secrets', name)))?.trim()
    if (kept !== undefined && kept !== '') return kept
    const created = await create()
    await this.replaceSecret(name, created)
    return created
  }

  async replaceSecret(name: string, text: string): Promise<void> {
    await this.write(join('secrets', name), `${text}\n`, SECRET_MODE)
  }

  async replace(name: string, text: string): Promise<void> {
    await this.write(name, text, FILE_MODE)
  }

  async keep(name: string, create: () => string | Promise<string>): Promise<void> {
    if ((await this.read(name)) === undefined) await this.replace(name, await create())
  }

  /** Whole or not at all: a half-written secret would be kept for ever. */
  private async write(name: string, text: string, mode: number): Promise<void> {
    const path = join(this.directory, name)
    await mkdir(dirname(path), { recursive: true, ...(mode === SECRET_MODE ? { mode: FOLDER_MODE } : {}) })
    const temporary = `${path}.new`
    try {
      await rm(temporary, { force: true })
      await writeFile(temporary, text, { mode, flag: 'wx' })
      await rename(temporary, path)
    } catch (cause) {
      throw new PermanentError('file-unwritable', `${path} cannot be written: ${(cause as NodeJS.ErrnoException).code}`, {
        cause,
      })
    }
    this.written.push(name)
  }
}
