import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where an engine of our own is kept for the next run. */
export const ENGINE_FOLDER = join(homedir(), '.cache', 'gatehouse', 'docker-engine')
/** What it sees besides the checkout: the files of the compose projects. */
export const PROJECTS_FOLDER = join(ENGINE_FOLDER, 'projects')
