'use strict';

const path = require('node:path');

const { PROJECT } = require('./sources.js');

const SOLC = path.join(PROJECT, 'node_modules', 'solc');

let loaded = null;

/** Loads the WebAssembly compiler once, without the exception handler that Emscripten installs. */
function solc() {
  if (loaded === null) {
    const before = process.listeners('uncaughtException');
    const wrapper = require(path.join(SOLC, 'wrapper.js'));
    loaded = wrapper(require(path.join(SOLC, 'soljson.js')));
    for (const listener of process.listeners('uncaughtException')) {
      if (!before.includes(listener)) process.removeListener('uncaughtException', listener);
    }
  }
  return loaded;
}

class Compiler {
  constructor(reader) {
    this.reader = reader;
  }

  /** The long version, for example `0.8.37+commit.f401782d.Emscripten.clang`. */
  static version() {
    return solc().version();
  }

  /** Compiles standard JSON, text in and text out. */
  compileText(input) {
    return solc().compile(input, { import: (name) => this.reader.read(name) });
  }

  /** Compiles standard JSON, object in and object out. */
  compile(input) {
    return JSON.parse(this.compileText(JSON.stringify(input)));
  }
}

module.exports = { Compiler };
