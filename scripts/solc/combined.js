'use strict';

const fs = require('node:fs');
const path = require('node:path');

const { UsageError } = require('./arguments.js');
const { Compiler } = require('./compiler.js');

/** What `--combined-json` calls a part, and where standard JSON output holds it. */
const PARTS = {
  abi: (contract) => contract.abi,
  bin: (contract) => contract.evm.bytecode.object,
  'bin-runtime': (contract) => contract.evm.deployedBytecode.object,
  devdoc: (contract) => contract.devdoc,
  hashes: (contract) => contract.evm.methodIdentifiers,
  metadata: (contract) => contract.metadata,
  opcodes: (contract) => contract.evm.bytecode.opcodes,
  srcmap: (contract) => contract.evm.bytecode.sourceMap,
  'srcmap-runtime': (contract) => contract.evm.deployedBytecode.sourceMap,
  'storage-layout': (contract) => contract.storageLayout,
  userdoc: (contract) => contract.userdoc,
};

const OUTPUT = {
  '': ['ast'],
  '*': ['abi', 'devdoc', 'evm.bytecode', 'evm.deployedBytecode', 'evm.methodIdentifiers', 'metadata',
    'storageLayout', 'userdoc'],
};

function standardInput(options) {
  const base = path.resolve(options.basePath || '.');
  const sources = {};
  for (const file of options.files) {
    sources[path.relative(base, path.resolve(file))] = { content: fs.readFileSync(file, 'utf8') };
  }
  return {
    language: 'Solidity',
    sources,
    settings: {
      evmVersion: options.evmVersion,
      optimizer: { enabled: options.optimize, runs: options.runs },
      outputSelection: { '*': OUTPUT },
      remappings: options.remappings,
      viaIR: options.viaIR || undefined,
    },
  };
}

function combine(output, parts) {
  const result = { contracts: {}, sourceList: [], sources: {}, version: Compiler.version() };
  for (const [name, source] of Object.entries(output.sources)) {
    result.sourceList[source.id] = name;
    result.sources[name] = { AST: source.ast, id: source.id };
  }
  for (const [name, contracts] of Object.entries(output.contracts ?? {})) {
    for (const [contractName, contract] of Object.entries(contracts)) {
      const entries = parts.map((part) => [part, PARTS[part](contract)]);
      result.contracts[`${name}:${contractName}`] = Object.fromEntries(entries);
    }
  }
  return result;
}

/**
 * Compiles files into the form that Slither asks for.
 * @returns {{output: object, messages: string, failed: boolean}} `output` is null when it failed
 */
function combinedJson(compiler, options) {
  const parts = options.combined.filter((part) => part !== 'ast'); // the AST always comes along
  const unknown = parts.find((part) => !Object.hasOwn(PARTS, part));
  if (unknown !== undefined) throw new UsageError(`Invalid option to --combined-json: ${unknown}`);
  if (options.files.length === 0) throw new UsageError('No input files given.');
  const output = compiler.compile(standardInput(options));
  const errors = output.errors ?? [];
  const failed = errors.some((error) => error.severity === 'error');
  return {
    output: failed ? null : combine(output, parts),
    messages: errors.map((error) => `${error.formattedMessage}\n`).join(''),
    failed,
  };
}

module.exports = { combinedJson };
