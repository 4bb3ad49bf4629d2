import type { Lane, MessageType } from '@gatehouse/messages'
import { MESSAGES } from '@gatehouse/messages'
import type { ServiceName } from './service-names.ts'

export const COMMANDS = 'gh.commands'
export const EVENTS = 'gh.events'
export const DEAD = 'gh.dead'
export const UNROUTED = 'gh.unrouted'
export const RETRY_OUT = 'gh.retry.out'

/** The exchange that messages of this type are published to. */
export function exchangeOf(type: MessageType): string {
  return MESSAGES[type].kind === 'command' ? COMMANDS : EVENTS
}

/** Where new messages of a lane arrive. */
export function inboxOf(service: ServiceName, lane: Lane): string {
  return lane === 'urgent' ? `gh.${service}.urgent` : `gh.${service}`
}

/** Where messages of a lane arrive whose delay has passed. */
export function dueQueueOf(service: ServiceName, lane: Lane): string {
  return `${inboxOf(service, lane)}.due`
}

export function deadQueueOf(service: ServiceName): string {
  return `gh.${service}.dead`
}
