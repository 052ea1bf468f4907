'use strict';

/** A command line the native compiler would refuse too. */
class UsageError extends Error {}

const FLAGS = {
  '--version': (options) => { options.version = true; },
  '--standard-json': (options) => { options.standardJson = true; },
  '--optimize': (options) => { options.optimize = true; },
  '--via-ir': (options) => { options.viaIR = true; },
};

const VALUES = {
  '--combined-json': (options, value) => { options.combined = value.split(','); },
  '--base-path': (options, value) => { options.basePath = value; },
  '--include-path': (options, value) => { options.includePaths.push(value); },
  '--allow-paths': () => {}, // the WebAssembly compiler has no file system to fence off
  '--optimize-runs': (options, value) => { options.optimize = true; options.runs = Number(value); },
  '--evm-version': (options, value) => { options.evmVersion = value; },
};

/**
 * Reads the part of the native command line that its callers here use.
 * @throws {UsageError} in the native compiler's words, which py-solc-x parses
 */
function parse(args) {
  const options = {
    version: false, standardJson: false, combined: null, files: [], remappings: [], basePath: '',
    includePaths: [], optimize: false, runs: 200, viaIR: false, evmVersion: undefined,
  };
  const rest = [...args];
  while (rest.length > 0) {
    const arg = rest.shift();
    if (Object.hasOwn(FLAGS, arg)) {
      FLAGS[arg](options);
    } else if (Object.hasOwn(VALUES, arg)) {
      if (rest.length === 0) {
        throw new UsageError(`the required argument for option '${arg}' is missing`);
      }
      VALUES[arg](options, rest.shift());
    } else if (arg.startsWith('-')) {
      throw new UsageError(`unrecognised option '${arg}'`);
    } else if (arg.includes('=')) {
      options.remappings.push(arg);
    } else {
      options.files.push(arg);
    }
  }
  return options;
}

module.exports = { UsageError, parse };
