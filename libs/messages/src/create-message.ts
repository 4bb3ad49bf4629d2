import { randomUUID } from 'node:crypto'
import { MESSAGES, type MessageOf, type MessageType } from './catalogue.ts'

/**
 * A message of this type with its envelope filled in, parsed by its own schema.
 * @throws ZodError when a field is not what the schema says: a defect of the caller, never of the other side.
 */
export function createMessage<T extends MessageType>(
  type: T,
  fields: Omit<MessageOf<T>, 'type' | 'version' | 'messageId' | 'at'>,
  now: () => Date = () => new Date(),
): MessageOf<T> {
  const message = { ...fields, type, version: 1, messageId: randomUUID(), at: now().toISOString() }
  return MESSAGES[type].schema.parse(message) as MessageOf<T>
}
