//===- Sqlite.cpp ---------------------------------------------------------===//
#include "tuner/database/Sqlite.h"

#include <sqlite3.h>

#include <cerrno>
#include <cstring>

namespace quern::tuner {

Statement::~Statement() { sqlite3_finalize(handle); }

Statement &Statement::bind(int parameter, std::string_view text) {
  sqlite3_bind_text64(handle, parameter, text.data() ? text.data() : "", text.size(), SQLITE_TRANSIENT,
                      SQLITE_UTF8);
  return *this;
}
Statement &Statement::bind(int parameter, int64_t value) {
  sqlite3_bind_int64(handle, parameter, value);
  return *this;
}
Statement &Statement::bind(int parameter, double value) {
  sqlite3_bind_double(handle, parameter, value);
  return *this;
}

Expected<bool> Statement::step() {
  int code = sqlite3_step(handle);
  if (code == SQLITE_ROW)
    return true;
  if (code == SQLITE_DONE)
    return false;
  Status status = connection->fault(code);
  sqlite3_reset(handle);
  return status;
}

Status Statement::run() {
  for (;;) {
    QUERN_ASSIGN_OR_RETURN(bool row, step());
    if (!row)
      break;
  }
  reset();
  return Status::success();
}

void Statement::reset() {
  sqlite3_reset(handle);
  sqlite3_clear_bindings(handle);
}

std::string Statement::text(int column) const {
  const unsigned char *text = sqlite3_column_text(handle, column);
  return text
             ? std::string(reinterpret_cast<const char *>(text), size_t(sqlite3_column_bytes(handle, column)))
             : std::string();
}
int64_t Statement::integer(int column) const { return sqlite3_column_int64(handle, column); }
double Statement::number(int column) const { return sqlite3_column_double(handle, column); }

Connection::~Connection() { sqlite3_close_v2(handle); }

/// |path| as a URI that SQLite opens without locks and without files beside it.
static std::string immutableUri(const std::string &path) {
  std::string uri = "file:";
  for (unsigned char c : path) {
    static const char digits[] = "0123456789abcdef";
    if (c == '?' || c == '#' || c == '%' || c < 0x21)
      uri += {'%', digits[c >> 4], digits[c & 15]};
    else
      uri += char(c);
  }
  return uri + "?immutable=1";
}

Expected<std::unique_ptr<Connection>> Connection::open(const std::string &path, Access access,
                                                       double busySeconds) {
  int flags = access == Access::Write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  // A relative path that begins with "file:" or ":" would mean something else to SQLite.
  std::string target = path.empty() || path[0] == '/' ? path : "./" + path;
  if (access == Access::Immutable) {
    flags |= SQLITE_OPEN_URI;
    target = immutableUri(target);
  }
  sqlite3 *handle = nullptr;
  int code = sqlite3_open_v2(target.c_str(), &handle, flags, nullptr);
  std::unique_ptr<Connection> connection(new Connection(path, handle));
  if (code != SQLITE_OK)
    return connection->fault(code);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, int(busySeconds * 1000));
  // The file may come from anywhere: its schema is not trusted with functions, its pages are checked as they
  // are read.
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  QUERN_RETURN_IF_ERROR(
      connection->execute("PRAGMA cell_size_check=ON; PRAGMA foreign_keys=ON; PRAGMA mmap_size=0"));
  return std::move(connection);
}

Expected<Statement> Connection::prepare(std::string_view sql) const {
  sqlite3_stmt *statement = nullptr;
  int code = sqlite3_prepare_v2(handle, sql.data(), int(sql.size()), &statement, nullptr);
  if (code != SQLITE_OK)
    return fault(code);
  return Statement(*this, statement);
}

Status Connection::execute(const char *sql) const {
  int code = sqlite3_exec(handle, sql, nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? Status::success() : fault(code);
}

Expected<int64_t> Connection::integer(std::string_view sql) const {
  QUERN_ASSIGN_OR_RETURN(Statement statement, prepare(sql));
  QUERN_ASSIGN_OR_RETURN(bool row, statement.step());
  return row ? statement.integer(0) : 0;
}

Expected<std::string> Connection::text(std::string_view sql) const {
  QUERN_ASSIGN_OR_RETURN(Statement statement, prepare(sql));
  QUERN_ASSIGN_OR_RETURN(bool row, statement.step());
  return row ? statement.text(0) : std::string();
}

bool Connection::isReadOnly() const { return sqlite3_db_readonly(handle, "main") == 1; }
int64_t Connection::changes() const { return sqlite3_changes64(handle); }

/// The operating system's error behind the last one of |handle|, or 0: SQLite keeps it by file, and only for
/// a failure to open with the connection.
static int systemError(sqlite3 *handle) {
  int code = sqlite3_system_errno(handle);
  if (!code)
    sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &code);
  sqlite3_file *log = nullptr;
  if (!code && sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK && log &&
      log->pMethods)
    log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &code);
  return code;
}

Status Connection::fault(int code) const {
  const std::string words = handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
  const int kind = code & 0xff;
  const int system = handle && (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN) ? systemError(handle) : 0;
  const std::string cause = system ? words + ": " + std::strerror(system) : words;
  const std::string quoted = "`" + name + "`";
  switch (kind) {
  case SQLITE_NOTADB:
    return Status::error(Exit::BadInput, "E-DATABASE-CORRUPT",
                         quoted + " is no tuning database, or is damaged")
        .cause(cause)
        .remedy("name another file, or take a copy of it");
  case SQLITE_CORRUPT:
    return Status::error(Exit::BadInput, "E-DATABASE-CORRUPT",
                         "the tuning database " + quoted + " is damaged")
        .cause(cause)
        .remedy("take a copy of it, or save what can be read with `quern db export --as jsonl`");
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return Status::error(Exit::Resource, "E-DATABASE-LOCKED", "another process keeps " + quoted + " locked")
        .cause(words)
        .remedy("wait until it has finished");
  case SQLITE_FULL:
    return Status::error(Exit::Resource, "E-DATABASE-DISK-FULL", "no space is left for " + quoted)
        .cause(cause)
        .remedy("make space; what was recorded before is kept");
  case SQLITE_READONLY:
    return Status::error(Exit::Resource, "E-DATABASE-READ-ONLY", quoted + " cannot be written")
        .cause(cause)
        .remedy("name a file that can be written with --db");
  case SQLITE_IOERR:
  case SQLITE_CANTOPEN:
    if (system == ENOSPC || system == EDQUOT || system == EFBIG)
      return Status::error(Exit::Resource, "E-DATABASE-DISK-FULL", "no space is left for " + quoted)
          .cause(cause)
          .remedy("make space; what was recorded before is kept");
    if (system == EROFS || system == EACCES || system == EPERM)
      return Status::error(Exit::Resource, "E-DATABASE-READ-ONLY", quoted + " cannot be opened")
          .cause(cause)
          .remedy("name a file that can be read and written with --db");
    break;
  default:
    break;
  }
  return Status::error(Exit::Resource, "E-DATABASE-FAILED", "cannot use the tuning database " + quoted)
      .cause(cause);
}

} // namespace quern::tuner
