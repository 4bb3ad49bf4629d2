/** One mail to one person. `stamp` travels as the header `X-Gatehouse-Id` and finds the mail again in Sent Items. */
export type Mail = {
  readonly to: string
  readonly subject: string
  readonly html: string
  readonly text?: string
  readonly stamp: string
}

/** The way mails go out. Errors are PermanentError or RetryableError; `mailFailureOf` reads what they say about the mail. */
export interface MailSender {
  /** Hands the mail to the server and resolves when the server has taken it. */
  send(mail: Mail, signal: AbortSignal): Promise<void>
  /** Tells whether a mail with exactly this stamp is among the sent ones. */
  wasSent(stamp: string, signal: AbortSignal): Promise<boolean>
}

/** The logger of the caller; pino's shape. */
export type MailLog = Record<'debug' | 'info' | 'warn' | 'error', (fields: Record<string, unknown>, message: string) => void>
