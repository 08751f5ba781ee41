import { readdirSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { detectors } from '../../../detectors/registry.ts';

const folders = readdirSync(new URL('../../../detectors/', import.meta.url), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);

test('every folder is a detector that is listed, and the other way round', () => {
  expect(detectors.map(({ id }) => id).sort()).toEqual(folders.sort());
});

describe.each(detectors)('$id', (detector) => {
  test('tells an analyst what it is, what to do and when it errs', () => {
    expect(detector.title).not.toBe('');
    expect(detector.description.length).toBeGreaterThan(80);
    expect(detector.attack.every((id) => /^T\d{4}(\.\d{3})?$/.test(id))).toBe(true);
    expect(detector.attack.length).toBeGreaterThan(0);
    expect(detector.runbook.split('\n').length).toBeGreaterThanOrEqual(4);
    expect(detector.falsePositives.length).toBeGreaterThanOrEqual(2);
  });

  test('runs without configuration, and describes every option', () => {
    const { config } = detector;
    expect(config.safeParse({}).success).toBe(true);
    expect(config.safeParse({ no_such_option: 1 }).success).toBe(false);
    const schema = z.toJSONSchema(config, { io: 'input' });
    for (const [name, option] of Object.entries(schema.properties ?? {})) {
      expect([name, typeof option === 'object' && (option.description ?? '').length > 10]).toEqual([
        name,
        true,
      ]);
    }
  });

  test('starts from a state that is plain data, a fresh one each time', () => {
    const state: unknown = detector.initial();
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
    expect(detector.initial()).not.toBe(state);
  });
});
