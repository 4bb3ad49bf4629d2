import { defineConfig } from 'vitest/config'
import { PATIENCE } from './test/environment/patience.ts'

/**
 * `unit`: beside the code, no sockets, no sleeping. `real`: against one RabbitMQ and one PostgreSQL, each file with its own vhost
 * and database. `brokers`: what libs/broker promises, on each RabbitMQ that can be had. `compose`: docker-compose.yml at an engine,
 * which has a command of its own.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{libs,services}/*/src/**/*.test.ts',
            'test/simulators/src/**/*.test.ts',
            'test/torture/**/*.test.ts',
            'test/kubernetes/*.test.ts',
            'scripts/*.test.ts',
            'test/environment/*.test.ts',
          ],
          // These tests share nothing that one could spoil for another, and a process per file would take most of their time.
          isolate: false,
          sequence: { groupOrder: 0 },
          testTimeout: 10_000,
        },
      },
      {
        test: {
          name: 'real',
          include: [
            '{libs,services}/*/test/**/*.test.ts',
            'test/simulators/test/**/*.test.ts',
            'scripts/test/**/*.test.ts',
            'test/{conformance,end-to-end,faults,observability}/**/*.test.ts',
            'test/kubernetes/kustomize/*.test.ts',
          ],
          exclude: ['**/node_modules/**', 'test/conformance/broker/**'],
          globalSetup: 'test/environment/start-real-parts.ts',
          setupFiles: 'test/environment/check-nothing-left.ts',
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: { poll: PATIENCE },
        },
      },
      {
        test: {
          name: 'brokers',
          include: ['test/conformance/broker/**/*.test.ts'],
          globalSetup: 'test/environment/start-test-brokers.ts',
          setupFiles: 'test/environment/check-nothing-left.ts',
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: { poll: PATIENCE },
        },
      },
      {
        test: {
          name: 'compose',
          include: ['test/compose/**/*.test.ts'],
          globalSetup: 'test/compose/engine/start-engine.ts',
          // Each file is a system of its own: two at once would be measured together.
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
    teardownTimeout: 60_000,
  },
})
