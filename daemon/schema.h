// The tables of the daemon's database, and how an older file becomes a new one.
//
// The version stands in PRAGMA user_version. docs/schema.md describes the tables for people who
// query them. A migration that has been released is never edited.
#pragma once

#include <span>
#include <string>

#include "daemon/sqlite.h"

namespace traind {

struct Migration {
  int version;      // that the database has afterwards
  const char* sql;  // run in one transaction
};

// All there are, in order.
std::span<const Migration> migrations() noexcept;

// Brings the database to the newest version, one transaction a step. Throws Error(kConfig) when the
// file was written by a newer traind, and Error(kCorrupt) when it is somebody else's database.
void migrate(Database& db, std::span<const Migration> steps = migrations());

// The same refusal of a newer file before anything of ours can write to it, as SQLite does when the
// last writer closes. A file that is not there, or cannot be read without writing, passes.
void refuse_newer(const std::string& path);

}  // namespace traind
