import { endReplay, insertDeadLetterAction, readReplay, readReplays, reopenReplay } from '@gatehouse/store'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { ReplayRequest } from '../dead-letters/replay-request.ts'
import { startReplay } from '../dead-letters/start-replay.ts'
import { refuseRunning } from '../dead-letters/take-queues.ts'
import { actorOf } from './actor-of.ts'
import type { ApiDeps } from './api-deps.ts'
import { camelCased } from './camel-cased.ts'
import { Id, Page } from './page.ts'
import { notFound, sendProblem } from './problem.ts'
import { sendRefusal } from './send-refusal.ts'

/** `skipCanary`: go on with the rest although the canaries came back. */
const Resume = z.strictObject({ skipCanary: z.boolean().default(false) })

/** Replays of dead letters: a plan unless it is executed; each is followed, stopped and resumed by its id. */
export function registerReplays(app: FastifyInstance, deps: ApiDeps): void {
  const { deadLetters, signal } = deps
  app.post('/api/deadLetters/replay', async (request, reply) => {
    const answer = await startReplay(ReplayRequest.parse(request.body), actorOf(request), deadLetters, signal)
    if (answer.kind === 'refused') return sendRefusal(reply, answer, answer.selection)
    const { keys: _keys, ...selection } = answer.selection
    if (answer.kind === 'plan') return selection
    deps.wakeReplayer()
    return reply.code(202).send({ ...selection, replayId: answer.replay.id })
  })

  app.get('/api/replays', async (request) => {
    return { value: (await readReplays(deadLetters.db, Page.parse(request.query))).map(camelCased) }
  })

  app.get('/api/replays/:id', async (request, reply) => {
    const replay = await readReplay(deadLetters.db, Id.parse(request.params).id)
    return replay === undefined ? notFound(reply, 'replay') : camelCased(replay)
  })

  registerChanges(app, deps)
}

function registerChanges(app: FastifyInstance, { deadLetters, wakeReplayer }: ApiDeps): void {
  app.post('/api/replays/:id/stop', async (request, reply) => {
    const { id } = Id.parse(request.params)
    const [actor, at] = [actorOf(request), deadLetters.now()]
    const problem = { code: 'asked', message: `${actor} has stopped it` }
    const replay = await deadLetters.db.transaction().execute(async (transaction) => {
      const found = await readReplay(transaction, id)
      if (found === undefined || !(await endReplay(transaction, id, { state: 'stopped', problem, at }))) return found
      const services = found.services
      await insertDeadLetterAction(transaction, { action: 'replay-stop', services, actor, detail: { replayId: id }, at })
      return { ...found, state: 'stopped' as const, problem, finished_at: at }
    })
    return replay === undefined ? notFound(reply, 'replay') : camelCased(replay)
  })

  app.post('/api/replays/:id/resume', async (request, reply) => {
    const { id } = Id.parse(request.params)
    const { skipCanary } = Resume.parse(request.body ?? {})
    const [actor, at] = [actorOf(request), deadLetters.now()]
    const answer = await deadLetters.db.transaction().execute(async (transaction) => {
      const reopened = await reopenReplay(transaction, id, { canaryPassedAt: skipCanary ? at : undefined })
      if ('opened' in reopened) {
        const { services } = reopened.opened
        const detail = { replayId: id, skipCanary }
        await insertDeadLetterAction(transaction, { action: 'replay-resume', services, actor, detail, at })
      }
      return reopened
    })
    if ('running' in answer) return sendRefusal(reply, refuseRunning(answer.running))
    if ('refused' in answer && answer.refused === undefined) return notFound(reply, 'replay')
    if ('refused' in answer)
      return sendProblem(reply, {
        status: 409,
        title: 'Refused',
        code: 'not-stopped',
        detail: `The replay is ${answer.refused?.state}`,
      })
    wakeReplayer()
    return camelCased(answer.opened)
  })
}
