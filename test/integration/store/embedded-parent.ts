import { embeddedPaths, readEndpoint } from '../../../src/store/embedded/files.ts';
import { openStore } from '../../../src/store/open.ts';
import { silent, storeConfig } from '../../support/clickhouse.ts';
import { accessEvent } from './samples.ts';

/** A process of its own with an embedded store, for the test to kill: writes one event, tells the engine's pid, waits. */
const [dataDir = ''] = process.argv.slice(2);
const store = await openStore({ config: storeConfig(), dataDir, log: silent });
await store.write({ access_events: [accessEvent('of-the-parent')] });
process.send?.((await readEndpoint(embeddedPaths(dataDir)))?.pid);
setInterval(() => undefined, 60_000);
