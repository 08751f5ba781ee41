import { ClickHouseError } from '@clickhouse/client';
import { expect, test } from 'vitest';
import { RecallError } from '../../../src/errors.ts';
import { storeError } from '../../../src/store/failure.ts';

const answered = (code: string, type: string, message = 'it said so') =>
  new ClickHouseError({ code, type, message });
const ADDRESS = 'http://127.0.0.1:8123';

test.each([
  ['252', 'TOO_MANY_PARTS'],
  ['241', 'MEMORY_LIMIT_EXCEEDED'],
  ['243', 'NOT_ENOUGH_SPACE'],
  ['202', 'TOO_MANY_SIMULTANEOUS_QUERIES'],
  ['159', 'TIMEOUT_EXCEEDED'],
  ['242', 'TABLE_IS_READ_ONLY'],
  ['999', 'KEEPER_EXCEPTION'],
])('%s %s may pass', (code, type) => {
  expect(storeError(answered(code, type), ADDRESS)).toMatchObject({
    code: 'ERR_STORE_UNAVAILABLE',
    disposition: 'retry',
    message: expect.stringContaining(`${ADDRESS} cannot now: it said so (${type} ${code})`) as unknown,
  });
});

test.each([
  ['27', 'CANNOT_PARSE_INPUT_ASSERTION_FAILED'],
  ['60', 'UNKNOWN_TABLE'],
  ['62', 'SYNTAX_ERROR'],
  ['497', 'ACCESS_DENIED'],
  ['516', 'AUTHENTICATION_FAILED'],
])('%s %s never will', (code, type) => {
  expect(storeError(answered(code, type), ADDRESS)).toMatchObject({ code: 'ERR_STORE_REFUSED' });
});

test('the text of a message decides nothing', () => {
  const text = 'Code: 252. TOO_MANY_PARTS timeout ECONNREFUSED';
  expect(storeError(answered('60', 'UNKNOWN_TABLE', text), ADDRESS)).toMatchObject({
    code: 'ERR_STORE_REFUSED',
  });
});

test('no answer, or one that is not from ClickHouse, may pass', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:8123'), { code: 'ECONNREFUSED' });
  for (const error of [refused, new Error('Timeout error.'), new Error('<html>502 Bad Gateway</html>')])
    expect(storeError(error, ADDRESS)).toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
      message: expect.stringContaining(`ClickHouse at ${ADDRESS} cannot be reached: `) as unknown,
    });
});

test('a long message is cut to one line that a person reads', () => {
  const { message } = storeError(
    answered('62', 'SYNTAX_ERROR', `first\nsecond ${'x'.repeat(5_000)}`),
    ADDRESS,
  );
  expect(message).toContain('first second');
  expect(message.length).toBeLessThan(800);
});

test('what is ours already stays what it is', () => {
  const ours = new RecallError('ERR_MIGRATION', 'x');
  expect(storeError(ours, ADDRESS)).toBe(ours);
});
