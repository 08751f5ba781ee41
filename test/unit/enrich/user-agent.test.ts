import { describe, expect, test } from 'vitest';
import { createUserAgentParser } from '../../../src/enrich/user-agent.ts';

const parse = createUserAgentParser();

const WINDOWS = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)';
const IPHONE =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 17_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)';
const ANDROID = 'Mozilla/5.0 (Linux; Android 13; Pixel 7) AppleWebKit/537.36 (KHTML, like Gecko)';

test.each([
  [`${WINDOWS} Chrome/120.0.0.0 Safari/537.36`, 'Chrome', 'Windows'],
  [`${WINDOWS} Chrome/120.0.0.0 Safari/537.36 Edg/120.0.0.0`, 'Microsoft Edge', 'Windows'],
  [`${WINDOWS} Chrome/120.0.0.0 Safari/537.36 OPR/106.0.0.0`, 'Opera', 'Windows'],
  [`${WINDOWS} HeadlessChrome/120.0.0.0 Safari/537.36`, 'Chrome Headless', 'Windows'],
  [`${WINDOWS} Slack/4.35.126 Chrome/120.0.0.0 Electron/28.0.0 Safari/537.36`, 'Slack', 'Windows'],
  [`${IPHONE} Version/17.1 Mobile/15E148 Safari/604.1`, 'Safari', 'iOS'],
  [`${IPHONE} CriOS/120.0 Mobile/15E148 Safari/604.1`, 'Chrome', 'iOS'],
  [`${ANDROID} Chrome/120.0.0.0 Mobile Safari/537.36`, 'Chrome', 'Android'],
  [
    `${ANDROID} SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36`,
    'Samsung Internet for Android',
    'Android',
  ],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0', 'Firefox', 'Linux'],
  ['Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)', 'Googlebot', undefined],
  ['Mozilla/5.0 (compatible; ExampleBot/1.0)', 'ExampleBot', undefined],
  [
    'Mozilla/5.0 (Windows NT; Windows NT 10.0; de-DE) WindowsPowerShell/5.1.22621.2506',
    'WindowsPowerShell',
    'Windows',
  ],
  ['Mozilla/5.0', 'Mozilla', undefined],
  ['okhttp/4.9.3', 'okhttp', undefined],
  ['okhttp', 'okhttp', undefined],
  ['python-requests/2.31.0', 'python-requests', undefined],
  ['curl/8.1.2', 'curl', undefined],
  ['Go-http-client/1.1', 'Go-http-client', undefined],
  ['axios/1.6.2', 'axios', undefined],
  ['node-fetch/1.0 (+https://github.com/bitinn/node-fetch)', 'node-fetch', undefined],
  ['Apache-HttpClient/4.5.13 (Java/1.8.0_292)', 'Apache-HttpClient', undefined],
  ['Java1.8.0_292', 'Java', undefined],
  ['PostmanRuntime/7.36.0', 'PostmanRuntime', undefined],
  ['Boto3/1.28.1 md/Botocore#1.31 ua/2.0 os/linux#5.10 lang/python#3.11', 'Boto3', 'Linux'],
  [
    'Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17126; Pro)',
    'Microsoft Office',
    'Windows',
  ],
  ['MyApp/3.2 (iPhone; iOS 17.0)', 'MyApp', 'iOS'],
  ['MyApp/3.2 (com.example.app; build:1; iOS 17.0.0) Alamofire/5.8', 'MyApp', 'iOS'],
  ['MyApp/123 CFNetwork/1410.0.3 Darwin/22.6.0', 'MyApp', 'Darwin'],
  ['My App v2.1', 'My App', undefined],
  ['MyApp-3.2.1 (Android 13)', 'MyApp', 'Android'],
  ['Dalvik/2.1.0 (Linux; U; Android 13; Pixel 7 Build/TQ1A)', 'Dalvik', 'Android'],
])('%s', (string, family, os) => {
  expect(parse(string)).toEqual({ ...(family && { ua_family: family }), ...(os && { ua_os: os }) });
});

describe('an update changes nothing', () => {
  test.each([
    [`${WINDOWS} Chrome/120.0.0.0 Safari/537.36`, `${WINDOWS} Chrome/141.0.7390.54 Safari/537.36`],
    [
      `${WINDOWS} Chrome/64.0.3282.140 Safari/537.36 Edge/18.17763`,
      `${WINDOWS} Chrome/120.0.0.0 Safari/537.36 Edg/120.0.0.0`,
    ],
    [
      `${IPHONE} Version/17.1 Mobile/15E148 Safari/604.1`,
      `${IPHONE.replace('17_1', '18_4')} Version/18.4 Mobile/22E240 Safari/604.1`,
    ],
    ['okhttp/4.9.3', 'okhttp/5.0.0-alpha.11'],
    ['MyApp/3.2 (iPhone; iOS 17.0)', 'MyApp/3.10.1 (iPhone; iOS 18.1)'],
    ['MyApp/123 CFNetwork/1410.0.3 Darwin/22.6.0', 'MyApp/124 CFNetwork/1498 Darwin/23.0.0'],
    ['Go-http-client/1.1', 'Go-http-client/2.0'],
  ])('%s → %s', (before, after) => {
    expect(parse(after)).toEqual(parse(before));
  });
});

test.each([undefined, '', ' ', '-', '(x)', '1.0', '/', ';'])('%j says nothing of a family', (string) => {
  expect(parse(string)).not.toHaveProperty('ua_family');
});

test('strings made to hurt are answered, with a name of bounded length', () => {
  for (const string of [
    'a'.repeat(2048),
    '('.repeat(2048),
    'a 1.1'.repeat(400),
    `Mozilla/5.0 ${'(a '.repeat(600)}`,
    '\u0000\u{1F600}/1',
  ]) {
    expect(parse(string).ua_family?.length ?? 0).toBeLessThanOrEqual(48);
  }
});
