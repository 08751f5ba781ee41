import Bowser from 'bowser';
import { LRUCache } from 'lru-cache';

/** Strings whose parse is remembered. */
const REMEMBERED = 8192;
/** Longest part of a string that is looked at, and longest family name kept. */
const LONGEST_STRING = 512;
const LONGEST_NAME = 48;

/** What is behind a User-Agent string, without versions: an update must not look like another device. */
export interface UserAgent {
  /** Browser or program, such as `Chrome`, `okhttp` or the name of an app. */
  readonly ua_family?: string;
  /** Operating system, such as `Windows` or `iOS`, where the string says. */
  readonly ua_os?: string;
}

/** Parses User-Agent strings; remembers the last few thousand. */
export function createUserAgentParser(): (userAgent: string | undefined) => UserAgent {
  const known = new LRUCache<string, UserAgent>({ max: REMEMBERED });
  return (userAgent) => {
    const string = userAgent?.slice(0, LONGEST_STRING).trim();
    if (string === undefined || string === '' || string === '-') return {}; // Gateways log an absent header as `-`.
    const cached = known.get(string);
    if (cached !== undefined) return cached;
    const parsed = parse(string);
    known.set(string, parsed);
    return parsed;
  };
}

function parse(string: string): UserAgent {
  // Browsers call themselves Mozilla; at everything else bowser guesses (it takes `Dalvik/2.1.0` for Android Browser).
  const browser = /^(?:Mozilla|Opera)\//.test(string) ? Bowser.getParser(string, true) : undefined;
  const name = browser === undefined ? firstProduct(string) : browserFamily(string, browser.getBrowserName());
  const family = name?.slice(0, LONGEST_NAME);
  const os = browser === undefined ? systemNamed(string) : browser.getOSName() || undefined;
  return { ...(family !== undefined && { ua_family: family }), ...(os !== undefined && { ua_os: os }) };
}

/** Product tokens that say what a browser is built on, not what it is. */
const ENGINES = new Set(
  'Mozilla AppleWebKit KHTML Gecko Chrome Chromium Safari Version Mobile Electron Trident Presto Opera'.split(
    ' ',
  ),
);

function browserFamily(string: string, name: string): string {
  if (string.includes('HeadlessChrome/')) return 'Chrome Headless'; // A program, which bowser takes for Chrome.
  if (name !== '' && name !== 'Mozilla' && name !== 'Electron') return name;
  // Programs in a browser's clothes: `… Electron/28.0.0 …` with the app's own token, `Mozilla/5.0 (…) PowerShell/7.4.0`.
  const products = string.replace(/\([^()]*\)/g, ' ').match(/[^\s/]+(?=\/)/g) ?? [];
  const own = products.find((product) => !ENGINES.has(product));
  const compatible = /\(compatible; ([^/;()]+)/.exec(string)?.[1];
  return own ?? compatible?.trim() ?? (name === '' ? 'Mozilla' : name);
}

/**
 * The first product of a program's string (RFC 9110 section 10.1.5: `product *( RWS ( product / comment ) )`),
 * without its version, however that is attached: `okhttp/4.9`, `MyApp 3.2 (iPhone)`, `MyApp-3.2.1`.
 */
function firstProduct(string: string): string | undefined {
  const product = /^[^/(;,]*/.exec(string)?.[0] ?? '';
  const name = product.replace(/[\s_-]*v?\d+(?:\.\d+)+\S*\s*$|\s+v?\d+\s*$/, '').trim();
  return /\p{L}/u.test(name) ? name : undefined;
}

/** Names by which programs tell the system they run on, the more specific before those it contains. */
const SYSTEMS: readonly (readonly [RegExp, string])[] = [
  [/\b(?:iPhone|iPad|iPod|iOS|iPadOS)\b/i, 'iOS'],
  [/\bAndroid\b/i, 'Android'],
  [/\bCrOS\b/, 'Chrome OS'],
  [/\bWindows\b|\bWin(?:32|64)\b/i, 'Windows'],
  [/\bmac ?os\b|\bMacintosh\b|\bos\/macos\b/i, 'macOS'],
  [/\bDarwin\b/i, 'Darwin'], // What Apple's own networking says on both macOS and iOS.
  [/\blinux\b/i, 'Linux'],
];

function systemNamed(string: string): string | undefined {
  return SYSTEMS.find(([pattern]) => pattern.test(string))?.[1];
}
