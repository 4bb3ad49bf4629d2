import { execFileSync, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0

export type TestCertificate = { key: string; cert: string; sha256: string }

/** A self-signed certificate for this name, such as `IP:127.0.0.1`. */
export function createCertificate(subjectAltName = 'IP:127.0.0.1'): TestCertificate {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-certificate-'))
  try {
    const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    const subject = ['-subj', '/CN=ex1', '-addext', `subjectAltName=${subjectAltName}`]
    execFileSync('openssl', ['req', '-x509', ...curve, '-days', '2', ...subject, '-keyout', key, '-out', cert], {
      stdio: 'ignore',
    })
    const pem = readFileSync(cert, 'utf8')
    return { key: readFileSync(key, 'utf8'), cert: pem, sha256: new X509Certificate(pem).fingerprint256 }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
