import { runWorker } from '@gatehouse/worker'
import { startNotification } from './start-notification.ts'

await runWorker({ name: 'notification', argv: process.argv.slice(2), env: process.env, start: startNotification })
