import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HEAP, jars, JAVA_HINT, makeCertificate, properties, type KafkaUser } from './kafka-broker-files.ts';
import { operations, quietClient, type KafkaOperations } from './kafka-operations.ts';
import { freePorts, logTail, runToEnd, startChild, until, type Child } from './processes.ts';

/*
 * A real Kafka broker (KRaft, one node) for tests, chaos and benchmarks. Needs Java 17 and Maven; the jars come
 * from Maven Central once and stay in a cache outside the repository (TOKEN_RECALL_CACHE, else the user's).
 * With KAFKA_BROKERS set, the tests that need nothing special of the broker run against that cluster instead.
 */

export interface KafkaBroker extends KafkaOperations {
  /** host:port of the plaintext listener. */
  readonly brokers: string[];
  /** Listeners of a broker started with `secure`. */
  readonly secure?: {
    /** SASL_PLAINTEXT: plain, scram-sha-256 and scram-sha-512. */
    readonly sasl: string;
    /** TLS with a certificate of its own making for localhost and 127.0.0.1. */
    readonly tls: string;
    /** PEM to trust for it. */
    readonly ca: string;
    readonly user: KafkaUser;
  };
  /** Ends the broker as a power cut would; its data stay. */
  kill(): Promise<void>;
  /** Starts a killed broker again, on the same ports. */
  restart(): Promise<void>;
  /** Ends the broker and deletes its data; the log is kept where `failed` is said. */
  stop(failed?: boolean): Promise<void>;
}

/**
 * Starts a broker on free ports and resolves when it answers.
 *
 * @param options.secure also a SASL and a TLS listener
 */
export async function startKafka(options: { secure?: boolean } = {}): Promise<KafkaBroker> {
  const external = process.env['KAFKA_BROKERS'];
  if (external !== undefined && options.secure !== true) {
    const absent = () => Promise.reject(new Error('KAFKA_BROKERS is set: the broker is not ours to handle'));
    const nothing = () => Promise.resolve();
    return { ...operations(external.split(','), jars), kill: absent, restart: absent, stop: nothing };
  }
  const libs = await jars();
  const folder = await mkdtemp(join(tmpdir(), 'token-recall-kafka-'));
  const [plain = 0, controller = 0, sasl = 0, tls = 0] = await freePorts(4);
  const ports = { plain, controller, sasl, tls };
  const user = { username: 'gateway', password: randomBytes(16).toString('hex') };
  const keyPassword = options.secure === true ? randomBytes(16).toString('hex') : null;
  const ca = keyPassword === null ? '' : await makeCertificate(folder, keyPassword);
  const config = join(folder, 'server.properties');
  const log = join(folder, 'broker.log');
  await writeFile(config, properties(folder, ports, user, keyPassword));
  const classpath = ['-cp', join(libs, '*')];
  const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${user.username},password=${user.password}]`,
  ]);
  const cluster = randomBytes(16);
  // An id that begins with a dash would be taken for an option.
  cluster[0] = 0;
  await runToEnd(
    'java',
    // prettier-ignore
    [...HEAP, ...classpath, 'kafka.tools.StorageTool', 'format', '-t', cluster.toString('base64url'), '-c', config, ...scram],
    JAVA_HINT,
  );

  const brokers = [`127.0.0.1:${plain}`];
  let child: Child | null = null;

  async function start(): Promise<void> {
    const started = startChild('java', [...HEAP, ...classpath, 'kafka.Kafka', config], log);
    child = started;
    const admin = quietClient(brokers).admin({ retry: { retries: 0 } });
    await until(
      async () => {
        if (started.exited()) throw new Error(`the Kafka broker ended; ${await logTail(log)}`);
        await admin.connect();
        const { brokers: found } = await admin.describeCluster();
        return found.length === 1;
      },
      60_000,
      async () => `the Kafka broker does not answer; ${await logTail(log)}`,
    );
    await admin.disconnect();
  }

  async function kill(): Promise<void> {
    await child?.kill();
    child = null;
  }

  await start();
  return {
    ...operations(brokers, () => Promise.resolve(libs)),
    ...(keyPassword !== null && {
      secure: { sasl: `127.0.0.1:${sasl}`, tls: `127.0.0.1:${tls}`, ca, user },
    }),
    kill,
    restart: start,
    async stop(failed = false) {
      await kill();
      if (!failed) await rm(folder, { recursive: true, force: true });
    },
  };
}
