import { type Kysely, sql } from 'kysely'

const TABLES = [
  `create table organizations (
    id uuid primary key, name text not null unique, report_only boolean not null default true, created_at timestamptz not null default now())`,
  `create table connectors (
    organization_id uuid primary key references organizations, epoch integer not null, status text not null,
    server_name text, connector_server_name text, exchange_version text,
    last_sync_at timestamptz, last_full_sync_at timestamptz, last_delta_sync_at timestamptz,
    problem jsonb, updated_at timestamptz not null default now())`,
  `create table policies (
    version integer primary key, enabled boolean not null, included_groups text[] not null, excluded_groups text[] not null,
    override_default_rule boolean not null, unknown_compliance text not null, created_at timestamptz not null default now(),
    created_by text not null)`,
  `create table organization_policies (
    organization_id uuid primary key references organizations, default_access_level text not null,
    manage_organization_settings boolean not null default false)`,
  `create table platform_exceptions (
    organization_id uuid not null references organizations, characteristic text not null, query_string text not null,
    access_level text not null, primary key (organization_id, characteristic, query_string))`,
  `create table message_templates (
    organization_id uuid not null references organizations, locale text not null, subject text not null,
    body_markdown text not null, primary key (organization_id, locale))`,
  `create table sync_runs (
    id uuid primary key, organization_id uuid not null references organizations, sync_type text not null, cause text not null,
    status text not null, brake text not null, brake_limit integer not null, would_block integer not null default 0,
    confirmed_by text, counts jsonb not null default '{}', problem jsonb, started_at timestamptz not null,
    discovered_at timestamptz, looked_up_at timestamptz, finished_at timestamptz)`,
  `create table mailboxes (
    id uuid primary key, organization_id uuid not null, distinguished_name text not null, primary_smtp_address text not null,
    display_name text not null, active_sync_enabled boolean not null, allowed_device_ids text[] not null,
    blocked_device_ids text[] not null, observed_at timestamptz not null, published_run_id uuid, vanished_at timestamptz)`,
  `create table device_partnerships (
    id uuid primary key, organization_id uuid not null, mailbox_id uuid not null, device_id text not null, device_type text not null,
    device_model text not null, device_os text not null, device_user_agent text not null, friendly_name text not null,
    client_type text not null, device_access_state text not null, device_access_state_reason text not null,
    first_sync_time timestamptz, observed_at timestamptz not null, vanished_at timestamptz)`,
  `create table exchange_servers (
    organization_id uuid not null, fqdn text not null, name text not null, admin_display_version text not null,
    is_client_access_server boolean not null, observed_at timestamptz not null, primary key (organization_id, fqdn))`,
  `create table device_classes (
    organization_id uuid not null, device_type text not null, device_model text not null, observed_at timestamptz not null,
    primary key (organization_id, device_type, device_model))`,
  `create table managed_devices (
    id text primary key, user_id text not null, user_principal_name text not null, azure_ad_device_id text not null,
    azure_ad_registered boolean not null, device_registration_state text not null, eas_activated boolean not null,
    eas_device_id text not null, eas_device_id_key text not null, compliance_state text not null,
    compliance_grace_expires_at timestamptz, management_agent text not null, last_sync_at timestamptz, operating_system text not null, model text not null,
    device_name text not null, missing_refreshes integer not null default 0, refreshed_at timestamptz not null)`,
  `create table directory_users (
    id text primary key, user_principal_name text not null, mail text not null, licensed boolean not null,
    preferred_language text, refreshed_at timestamptz not null)`,
  `create table group_members (group_id text not null, user_id text not null, primary key (group_id, user_id))`,
  `create table graph_cursors (
    name text primary key, value text not null, sync_run_id uuid, counts jsonb not null default '{}', completed_at timestamptz not null)`,
  `create table decisions (
    partnership_id uuid primary key, organization_id uuid not null, mailbox_id uuid not null, device_id text not null,
    access text not null, exemption text not null, reason text not null, inputs jsonb not null, decision_version bigint not null,
    decided_at timestamptz not null)`,
  `create table mailbox_decisions (
    mailbox_id uuid primary key, organization_id uuid not null, decision_version bigint not null, sync_run_id uuid,
    would_block integer not null, decided_at timestamptz not null)`,
  `create table access_changes (
    id uuid primary key, organization_id uuid not null, mailbox_id uuid not null, sync_run_id uuid, decision_version bigint not null,
    state text not null, plan jsonb not null, old_allowed text[] not null, old_blocked text[] not null, new_allowed text[] not null,
    new_blocked text[] not null, cmdlet text not null, problem jsonb, announced_at timestamptz, started_at timestamptz,
    written_at timestamptz, verified_at timestamptz, duration_ms integer, created_at timestamptz not null default clock_timestamp())`,
  `create table own_exemptions (
    mailbox_id uuid not null, device_id_key text not null, list text not null, device_id text not null, change_id uuid not null,
    created_at timestamptz not null, primary key (mailbox_id, device_id_key, list))`,
  `create table mailbox_enforcements (
    mailbox_id uuid primary key, organization_id uuid not null, sync_run_id uuid, decision_version bigint not null,
    outcome text not null, at timestamptz not null)`,
  `create table runspace_leases (
    id uuid primary key, account text not null, holder text not null, shell jsonb, taken_at timestamptz not null,
    expires_at timestamptz not null)`,
  `create table notices (
    id uuid primary key, key text not null unique, organization_id uuid not null, mailbox_id uuid, change_id uuid,
    recipient text not null, locale text not null, template text not null, variables jsonb not null, state text not null,
    attempts integer not null default 0, problem jsonb, created_at timestamptz not null, sent_at timestamptz)`,
  `create table dead_letter_actions (
    id uuid primary key, action text not null, queue text not null, message_id text, actor text not null, detail jsonb not null,
    at timestamptz not null)`,
  `create table audit (
    id uuid primary key, actor text not null, action text not null, subject text not null, detail jsonb not null, at timestamptz not null)`,
  `create sequence decision_versions as bigint`,
]

const INDEXES = [
  'create index on sync_runs (organization_id, started_at desc)',
  'create index on sync_runs (status)',
  'create index on mailboxes (organization_id, published_run_id)',
  'create index on mailboxes (lower(primary_smtp_address))',
  'create index on device_partnerships (mailbox_id)',
  'create index on device_partnerships (organization_id)',
  'create index on device_partnerships (lower(device_id))',
  "create index on managed_devices (eas_device_id_key) where eas_device_id_key <> ''",
  'create index on managed_devices (user_id)',
  'create index on directory_users (lower(user_principal_name))',
  'create index on directory_users (lower(mail))',
  'create index on group_members (user_id)',
  'create index on decisions (mailbox_id)',
  'create index on mailbox_decisions (sync_run_id)',
  'create index on access_changes (mailbox_id, created_at desc)',
  'create index on access_changes (sync_run_id)',
  'create index on mailbox_enforcements (sync_run_id)',
  'create index on runspace_leases (account)',
  'create index on notices (change_id)',
  'create index on notices (mailbox_id)',
  'create index on notices (organization_id, sent_at desc)',
  'create index on audit (at desc)',
]

/** The tables of design §5. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of [...TABLES, ...INDEXES]) await sql.raw(statement).execute(db)
}
