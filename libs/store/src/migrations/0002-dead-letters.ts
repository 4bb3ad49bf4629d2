import { type Kysely, sql } from 'kysely'

const STATEMENTS = [
  `create table replays (
    id uuid primary key, state text not null, services text[] not null, filter jsonb not null, options jsonb not null,
    hash text not null, selection jsonb not null, counts jsonb not null, canary_passed_at timestamptz, problem jsonb,
    actor text not null, started_at timestamptz not null, finished_at timestamptz)`,
  `create table discarded_letters (
    id uuid primary key, fingerprint text not null, service text not null, message_id text not null, type text not null,
    content_type text, headers bytea not null, content bytea not null, reason text not null, discarded_by text not null,
    discarded_at timestamptz not null, restored_by text, restored_at timestamptz)`,
  `create table processed_messages (
    service text not null, message_id uuid not null, begun_at timestamptz not null, done_at timestamptz,
    primary key (service, message_id))`,
  'create index on replays (started_at desc)',
  `create index on replays (state) where state = 'running'`,
  'create index on discarded_letters (discarded_at desc)',
  'create unique index on discarded_letters (fingerprint) where restored_at is null',
  'create index on processed_messages (begun_at)',
  'create index on dead_letter_actions (at desc)',
]

/** What replay, discard and the recognition of messages that come twice need. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of STATEMENTS) await sql.raw(statement).execute(db)
}
