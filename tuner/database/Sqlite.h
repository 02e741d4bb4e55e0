//===- Sqlite.h - SQLite as statements that return a Status ---------------===//
//
// Private to this room. One connection, used by one thread at a time. SQLite's results become the errors that
// Database.h lists; `fault` is the one place that translates them.
//
//===----------------------------------------------------------------------===//
#ifndef QUERN_TUNER_DATABASE_SQLITE_H
#define QUERN_TUNER_DATABASE_SQLITE_H

#include "support/Status.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace quern::tuner {

class Connection;

/// One SQL statement. Parameters are numbered from 1, columns from 0.
class Statement {
public:
  Statement(Statement &&other) noexcept : connection(other.connection), handle(other.handle) {
    other.handle = nullptr;
  }
  Statement &operator=(Statement &&) = delete;
  ~Statement();

  Statement &bind(int parameter, std::string_view text);
  Statement &bind(int parameter, int64_t value);
  Statement &bind(int parameter, double value);

  /// True where there is a row, false at the end.
  Expected<bool> step();
  /// Runs it to its end.
  Status run();
  /// For another run with other values.
  void reset();

  /// Of the current row. A value of another kind is what SQLite makes of it.
  std::string text(int column) const;
  int64_t integer(int column) const;
  double number(int column) const;

private:
  friend class Connection;
  Statement(const Connection &connection, sqlite3_stmt *handle) : connection(&connection), handle(handle) {}
  const Connection *connection;
  sqlite3_stmt *handle;
};

enum class Access : uint8_t {
  Write,
  Read,
  /// Of a file that nobody changes, on a file system on which nothing can be made beside it.
  Immutable,
};

class Connection {
public:
  static Expected<std::unique_ptr<Connection>> open(const std::string &path, Access access,
                                                    double busySeconds);
  ~Connection();
  Connection(const Connection &) = delete;
  Connection &operator=(const Connection &) = delete;

  Expected<Statement> prepare(std::string_view sql) const;
  /// Statements without results, one behind the other.
  Status execute(const char *sql) const;
  /// The first column of the first row.
  Expected<int64_t> integer(std::string_view sql) const;
  Expected<std::string> text(std::string_view sql) const;

  bool isReadOnly() const;
  /// Rows that the last statement changed.
  int64_t changes() const;
  const std::string &path() const { return name; }
  /// The error for SQLite's |code|.
  Status fault(int code) const;

private:
  Connection(std::string path, sqlite3 *handle) : name(std::move(path)), handle(handle) {}
  std::string name;
  sqlite3 *handle;
};

} // namespace quern::tuner

#endif // QUERN_TUNER_DATABASE_SQLITE_H
