import type { Store } from './create-database.ts'
import { storableJson } from './storable-json.ts'

export type ObservedDeviceClass = { device_type: string; device_model: string }

/** Adds the pairs of type and model that were read to the catalogue; none is ever taken out of it. */
export async function storeDeviceClasses(
  pool: Store['pool'],
  o: { organizationId: string; observedAt: Date; classes: readonly ObservedDeviceClass[] },
): Promise<void> {
  await pool.query(
    `insert into device_classes (organization_id, device_type, device_model, observed_at)
     select distinct $2::uuid, device_type, device_model, $3::timestamptz
     from json_to_recordset($1::json) as x(device_type text, device_model text)
     on conflict (organization_id, device_type, device_model) do update set observed_at = excluded.observed_at`,
    [storableJson(o.classes), o.organizationId, o.observedAt],
  )
}
