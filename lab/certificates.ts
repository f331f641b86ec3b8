// Certificates of a cluster, by openssl: one authority, and what it vouches for.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './shell.ts';

export interface Certificate {
  readonly certificate: string; // path of a PEM file
  readonly key: string;
}

export class Authority {
  readonly certificate: string; // path of a PEM file
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.certificate = join(folder, 'ca.crt');
    this.#make('ca', '/CN=lab', ['-addext', 'keyUsage=critical,keyCertSign']);
  }

  /** For a server at these names and addresses. */
  server(name: string, hosts: readonly string[]): Certificate {
    const names = hosts.map((host) => (/^[\d.]+$|:/.test(host) ? `IP:${host}` : `DNS:${host}`));
    return this.#issue(name, `/CN=${name}`, ['-addext', `subjectAltName=${names}`, '-addext', 'extendedKeyUsage=serverAuth']);
  }

  /** For a user of the API server. */
  user(name: string, group = ''): Certificate {
    const subject = `${group && `/O=${group}`}/CN=${name}`;
    return this.#issue(name.replaceAll(':', '-'), subject, ['-addext', 'extendedKeyUsage=clientAuth']);
  }

  /** A kubeconfig with everything in it. */
  kubeconfig(server: string, user: Certificate): string {
    const data = (path: string): string => readFileSync(path).toString('base64');
    return JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'lab',
      contexts: [{ name: 'lab', context: { cluster: 'lab', user: 'lab' } }],
      clusters: [{ name: 'lab', cluster: { server, 'certificate-authority-data': data(this.certificate) } }],
      users: [{ name: 'lab', user: { 'client-certificate-data': data(user.certificate), 'client-key-data': data(user.key) } }],
    });
  }

  #issue(name: string, subject: string, more: readonly string[]): Certificate {
    const authority = ['-CA', this.certificate, '-CAkey', join(this.#folder, 'ca.key')];
    return this.#make(name, subject, [...authority, '-addext', 'basicConstraints=critical,CA:FALSE', ...more]);
  }

  #make(name: string, subject: string, more: readonly string[]): Certificate {
    const made = { certificate: join(this.#folder, `${name}.crt`), key: join(this.#folder, `${name}.key`) };
    const out = ['-out', made.certificate, '-keyout', made.key];
    run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', subject, ...out, ...more);
    return made;
  }
}
