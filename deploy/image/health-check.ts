// Whether the worker of this container can be given work. Node is the only program of the image.
const port = process.argv[2] ?? '9400'
const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(4_000) })
process.stdout.write(await answer.text())
process.exitCode = answer.ok ? 0 : 1
