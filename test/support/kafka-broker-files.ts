import { access, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { runToEnd } from './processes.ts';

const VERSION = '4.1.0';
export const HEAP = ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>token-recall</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    ${['kafka_2.13', 'kafka-tools']
      .map(
        (artifact) =>
          `<dependency><groupId>org.apache.kafka</groupId><artifactId>${artifact}</artifactId><version>${VERSION}</version></dependency>`,
      )
      .join('')}
  </dependencies>
</project>`;

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Folder with the broker's jars, fetched where it is not there yet. */
export async function jars(): Promise<string> {
  const cache =
    process.env['TOKEN_RECALL_CACHE'] ??
    join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'token-recall');
  const folder = join(cache, `kafka-${VERSION}`);
  if (await exists(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(cache, 'kafka-fetch-'));
  try {
    await writeFile(join(work, 'pom.xml'), POM);
    await runToEnd(
      'mvn',
      ['-q', '-B', '-f', join(work, 'pom.xml'), 'dependency:copy-dependencies', '-DoutputDirectory=libs'],
      'Maven fetches the Kafka broker: install it (Debian: apt-get install maven)',
    );
    // Renamed when complete: another test process may look at the same moment, or have won.
    await rename(join(work, 'libs'), folder).catch(async (error: unknown) => {
      if (!(await exists(folder))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return folder;
}

export const JAVA_HINT =
  'the Kafka broker needs Java 17: install it (Debian: apt-get install openjdk-17-jre-headless)';

/** Who the broker lets in on its SASL listener; the password is new with every broker. */
export interface KafkaUser {
  readonly username: string;
  readonly password: string;
}

export interface Ports {
  readonly plain: number;
  readonly controller: number;
  readonly sasl: number;
  readonly tls: number;
}

/** The broker's configuration file. */
export function properties(
  folder: string,
  ports: Ports,
  user: KafkaUser,
  keyPassword: string | null,
): string {
  const listeners: Record<string, string> = { PLAIN: 'PLAINTEXT', CONTROLLER: 'PLAINTEXT' };
  if (keyPassword !== null) Object.assign(listeners, { SASL: 'SASL_PLAINTEXT', TLS: 'SSL' });
  const port: Record<string, number> = {
    PLAIN: ports.plain,
    CONTROLLER: ports.controller,
    SASL: ports.sasl,
    TLS: ports.tls,
  };
  const at = Object.keys(listeners).map((name) => `${name}://127.0.0.1:${port[name]}`);
  const login = (module: string, rest = '') =>
    `org.apache.kafka.common.security.${module} required username="${user.username}" password="${user.password}"${rest};`;
  return Object.entries({
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAIN',
    'listener.security.protocol.map': Object.entries(listeners)
      .map(([name, protocol]) => `${name}:${protocol}`)
      .join(','),
    listeners: at.join(','),
    'advertised.listeners': at.filter((listener) => !listener.startsWith('CONTROLLER')).join(','),
    'log.dirs': join(folder, 'data'),
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    // A broker that was killed is let in again soon.
    'broker.session.timeout.ms': 2000,
    'broker.heartbeat.interval.ms': 500,
    'auto.create.topics.enable': false,
    ...(keyPassword !== null && {
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
      'listener.name.sasl.plain.sasl.jaas.config': login(
        'plain.PlainLoginModule',
        ` user_${user.username}="${user.password}"`,
      ),
      'listener.name.sasl.scram-sha-256.sasl.jaas.config': login('scram.ScramLoginModule'),
      'listener.name.sasl.scram-sha-512.sasl.jaas.config': login('scram.ScramLoginModule'),
      'ssl.keystore.location': join(folder, 'broker.p12'),
      'ssl.keystore.type': 'PKCS12',
      'ssl.keystore.password': keyPassword,
      'ssl.key.password': keyPassword,
    }),
  })
    .map(([name, value]) => `${name}=${String(value)}\n`)
    .join('');
}

/** A key pair and certificate for the TLS listener; returns the certificate as PEM. */
export async function makeCertificate(folder: string, password: string): Promise<string> {
  const store = ['-keystore', join(folder, 'broker.p12'), '-storepass', password, '-alias', 'broker'];
  const pem = join(folder, 'ca.pem');
  const subject = ['-dname', 'CN=localhost', '-ext', 'san=dns:localhost,ip:127.0.0.1', '-validity', '2'];
  const key = ['-keyalg', 'EC', '-groupname', 'secp256r1', '-storetype', 'PKCS12'];
  await runToEnd('keytool', ['-genkeypair', ...store, ...subject, ...key], JAVA_HINT);
  await runToEnd('keytool', ['-exportcert', '-rfc', ...store, '-file', pem], JAVA_HINT);
  return readFile(pem, 'utf8');
}
