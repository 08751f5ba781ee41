import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

/** Imports point one way: cli → pipeline → stages → schemas. Each entry: what may not be imported from where. */
const oneWay = [
  { target: './schemas', from: ['./src', './detectors', './test'] },
  { target: './detectors', from: './test' },
  { target: ['./src/!(cli)/**', './src/*.ts'], from: './src/cli' },
  { target: './src', from: './test' },
  {
    target: './src/!(cli|pipeline|api|demo)/**',
    from: ['./src/pipeline', './src/api', './src/demo'],
  },
];

/** What a detector may use besides schemas: its contract, and pure functions over events and histories. */
const DETECTOR_KIT = [
  'contract',
  'keys',
  'history',
  'client-context',
  'standing',
  'features',
  'geodesy',
  'use',
];

export default defineConfig(
  globalIgnores(['dist/', 'data/', 'coverage/', '.cache/']),
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.js'] })] },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      'max-lines': ['error', { max: 300, skipBlankLines: false, skipComments: false }],
      'no-console': 'error',
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': [
        'error',
        {
          basePath: import.meta.dirname,
          zones: [
            ...oneWay,
            {
              target: './detectors',
              from: './src',
              except: DETECTOR_KIT.map((name) => `./detection/${name}.ts`),
              message: 'A detector imports only schemas and the detector contract.',
            },
          ],
        },
      ],
    },
  },
  {
    // A detector is pure: same events, same findings, on any machine, at any time.
    files: ['detectors/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        'process',
        'setTimeout',
        'setInterval',
        'fetch',
        'performance',
        'crypto',
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Date', property: 'now', message: 'Event time is the only clock.' },
        { object: 'Math', property: 'random', message: 'A detector is deterministic.' },
      ],
      'no-restricted-syntax': [
        'error',
        {
          selector: 'NewExpression[callee.name="Date"][arguments.length=0]',
          message: 'Event time is the only clock.',
        },
        { selector: 'AwaitExpression', message: 'A detector is synchronous.' },
      ],
      'no-restricted-imports': [
        'error',
        { patterns: [{ regex: '^node:', message: 'A detector does no I/O.' }] },
      ],
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
);
