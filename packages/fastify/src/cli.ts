#!/usr/bin/env node
// The command of @steadfast/store, for package managers that show only the commands of what was asked for by name.
import '@steadfast/store/cli'
