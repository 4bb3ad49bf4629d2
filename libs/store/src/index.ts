export {
  announceAccessChange,
  type BeginningChange,
  beginAccessChanges,
  deviceIdKey,
  type NewAccessChange,
  reportAccessChange,
  settleAccessChange,
} from './access-changes.ts'
export { type AccountRecordsOptions, createAccountRecords } from './account-records.ts'
export { type Admission, createAdmission } from './admission.ts'
export { type AdvisoryLock, AdvisoryLocks, type AdvisoryLocksOptions } from './advisory-locks.ts'
export { analyzeTables } from './analyze-tables.ts'
export { type AuditEntry, insertAudit, readLastAudit } from './audit.ts'
export { batchCalls } from './batch-calls.ts'
export { classifyDatabaseFailure } from './classify-database-failure.ts'
export { compareSchema, type SchemaComparison } from './compare-schema.ts'
export {
  type ConnectorView,
  insertConnector,
  readConnectors,
  retireConnectors,
  setConnectionPending,
  setConnectorStatus,
  setLastSync,
} from './connectors.ts'
export { createDatabase, type DatabaseOptions, type Store } from './create-database.ts'
export { type DeadLetterAction, insertDeadLetterAction, readDeadLetterActions } from './dead-letter-actions.ts'
export type { ReplayCounts } from './dead-letter-tables.ts'
export {
  type MailboxKey,
  type MailboxToDecide,
  type NewDecision,
  type NewMailboxDecision,
  readMailboxesToDecide,
  readOpenRunOf,
  storeMailboxDecisions,
} from './decisions.ts'
export { type ObservedDeviceClass, storeDeviceClasses } from './device-classes.ts'
export {
  markPartnershipsVanished,
  type ObservedPartnership,
  readPartnershipDeviceId,
  readStoredPartnerships,
  type StoredPartnership,
  storePartnerships,
} from './device-partnerships.ts'
export { type ObservedGroup, type ObservedUser, readMailboxesOfUsers, replaceDirectory } from './directory-users.ts'
export { archiveLetters, type NewDiscardedLetter, noteRestored, readArchive, readArchivedLetters } from './discarded-letters.ts'
export { type ObservedServer, readClientAccessServers, storeExchangeServers } from './exchange-servers.ts'
export {
  completeRefresh,
  type GraphCursor,
  isChangeFeedReadFor,
  type RunReadiness,
  readGraphCursor,
  readRunReadiness,
  refreshedGroups,
  storeGraphCursor,
} from './graph-cursors.ts'
export { isDatabaseUnreachable } from './is-database-unreachable.ts'
export { lockInTransaction } from './lock-in-transaction.ts'
export {
  type EnforcedMailbox,
  type EnforcementRecord,
  type MailboxToEnforce,
  type OpenChange,
  type OwnEntry,
  readMailboxesToEnforce,
  recordEnforcements,
} from './mailbox-enforcements.ts'
export { layOver, type MailboxLists } from './mailbox-lists.ts'
export {
  countObserved,
  markMailboxesVanished,
  type ObservedMailbox,
  readDatabaseClock,
  readStoredMailboxes,
  type StoredMailbox,
  storeMailboxes,
} from './mailboxes.ts'
export {
  countMissingOfUsers,
  type ObservedManagedDevice,
  readUsersOfDevices,
  readWaitingUsers,
  storeManagedDevices,
} from './managed-devices.ts'
export { type MessageTemplate, replaceMessageTemplates } from './message-templates.ts'
export { migrate } from './migrate.ts'
export {
  beginSending,
  blockNoticeKey,
  insertNotice,
  type MailRate,
  type NewNotice,
  type NoticeFacts,
  type NoticeToSend,
  readNotice,
  readNoticeFacts,
  settleNotice,
  suppressNotices,
} from './notices.ts'
export { type OrganizationToReconcile, readConnectorEpoch, readOrganizationToReconcile } from './organization-enforcements.ts'
export {
  type AccessStateCount,
  countAccessStates,
  type OrganizationFacts,
  readOrganizationFacts,
} from './organization-facts.ts'
export { insertOrganization, readOrganizations, setReportOnly } from './organizations.ts'
export { replacePlatformExceptions } from './platform-exceptions.ts'
export { appendPolicy, type PolicyFields, readPolicy, upsertOrganizationPolicy } from './policies.ts'
export {
  beginMessage,
  endMessage,
  forgetMessage,
  isMessageDone,
  type MessageProcessing,
  pruneProcessedMessages,
} from './processed-messages.ts'
export {
  endReplay,
  findRunning,
  type NewReplay,
  noteReplayProgress,
  openReplay,
  type ReplayView,
  readReplay,
  readReplays,
  readRunningReplays,
  reopenReplay,
} from './replays.ts'
export {
  createRunspaceLeases,
  deleteRunspaceLease,
  leaseHolderOf,
  type OrphanLease,
  type RunspaceLease,
  type RunspaceLeasesOptions,
  readOrphanLeases,
} from './runspace-leases.ts'
export type {
  AccessChangePlan,
  AccessLevel,
  BrakeState,
  ConnectorStatus,
  Database,
  NewRow,
  ProblemJson,
  Row,
  SyncType,
} from './schema.ts'
export { storableText } from './storable-json.ts'
export {
  countRun,
  lockRun,
  type NewSyncRun,
  openSyncRun,
  RUN_MARKS,
  type RunCounts,
  type RunUpdate,
  readOpenRunIds,
  readRun,
  readRuns,
  readUnrequestedRuns,
  requestedAgainAt,
  requestRunAgain,
  setRunRequested,
  updateRun,
  waitForRun,
} from './sync-runs.ts'
export { warmConnections } from './warm-connections.ts'
export { deleteWorkerState, readWorkerStates, storeWorkerState, type WorkerStateRow } from './worker-states.ts'
