'use strict';

const fs = require('node:fs');

const { UsageError, parse } = require('./arguments.js');
const { combinedJson } = require('./combined.js');
const { Compiler } = require('./compiler.js');
const { SourceReader } = require('./sources.js');

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;

/** Writes all of `text` before returning: a pipe takes at most 64 KiB at a time and may be full. */
function write(descriptor, text) {
  let rest = Buffer.from(text, 'utf8');
  while (rest.length > 0) {
    try {
      rest = rest.subarray(fs.writeSync(descriptor, rest));
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function standardJson(options) {
  const [file] = options.files;
  const text = fs.readFileSync(file === undefined ? STDIN : file, 'utf8');
  const compiler = new Compiler(new SourceReader(options));
  write(STDOUT, `${compiler.compileText(text)}\n`);
  return 0;
}

function combined(options) {
  const result = combinedJson(new Compiler(new SourceReader(options)), options);
  write(STDERR, result.messages);
  if (result.failed) return 1;
  write(STDOUT, `${JSON.stringify(result.output)}\n`);
  return 0;
}

/**
 * Runs one call of the compiler.
 * @param {string[]} args the command line without node and script
 * @returns {number} the exit code: 0, or 1 after one line on standard error
 */
function main(args) {
  try {
    const options = parse(args);
    if (options.version) {
      write(STDOUT, `solc, the solidity compiler commandline interface\nVersion: ${Compiler.version()}\n`);
      return 0;
    }
    if (options.standardJson) return standardJson(options);
    if (options.combined !== null) return combined(options);
    throw new UsageError('give one of --version, --standard-json, --combined-json');
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    write(STDERR, `${error.message}\n`);
    return 1;
  }
}

module.exports = { main };
