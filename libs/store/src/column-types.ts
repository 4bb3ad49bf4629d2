import type { ColumnType, JSONColumnType } from 'kysely'

/** Columns as kysely reads, inserts and updates them. */
export type Timestamp = ColumnType<Date, Date | string, Date | string>
export type NullableTimestamp = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>
export type Json<T extends object> = JSONColumnType<T, string | T, string | T>
/** PostgreSQL bigint as a number: versions and counts stay far below 2^53; the pool's type parser converts them. */
export type BigInt8 = ColumnType<number, number | undefined, number>
