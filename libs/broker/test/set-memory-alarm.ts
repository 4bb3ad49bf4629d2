import type { NodeUnderTest } from './broker-under-test.ts'

/** Makes the node believe that it is short of memory, or no longer. */
export async function setMemoryAlarm(node: NodeUnderTest, isOn: boolean): Promise<void> {
  await node.rabbitmqctl('set_vm_memory_high_watermark', isOn ? '0.00001' : '0.4')
}
