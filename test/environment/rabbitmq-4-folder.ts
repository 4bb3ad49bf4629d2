import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where install-rabbitmq-4.ts puts RabbitMQ 4. Not in the checkout: whatever searches that would search a whole Debian. */
export const RABBITMQ_4_FOLDER = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'gatehouse', 'rabbitmq-4')
