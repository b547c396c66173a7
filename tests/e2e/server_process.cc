#include "tests/e2e/server_process.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

// One line from the descriptor, or what came before `deadline` or its end.
std::string ReadLine(int fd, absl::Time deadline) {
  std::string line;
  while (absl::Now() < deadline) {
    pollfd waiting = {fd, POLLIN, 0};
    if (poll(&waiting, 1, 50) <= 0) continue;
    char c;
    if (read(fd, &c, 1) != 1 || c == '\n') break;
    line.push_back(c);
  }
  return line;
}

// The value of `key=` in the ready line.
std::string Field(const std::string& line, absl::string_view key) {
  for (const absl::string_view word : absl::StrSplit(line, ' ')) {
    if (absl::StartsWith(word, absl::StrCat(key, "="))) {
      return std::string(word.substr(key.size() + 1));
    }
  }
  return "";
}

std::string HttpGet(const std::string& address, absl::string_view path) {
  const std::pair<std::string, std::string> host_port =
      absl::StrSplit(address, ':');
  sockaddr_in peer = {};
  peer.sin_family = AF_INET;
  peer.sin_port = htons(static_cast<uint16_t>(
      std::strtol(host_port.second.c_str(), nullptr, 10)));
  inet_pton(AF_INET, host_port.first.c_str(), &peer.sin_addr);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&peer), sizeof(peer)) == 0) {
    const std::string request =
        absl::StrCat("GET ", path, " HTTP/1.0\r\nHost: ", address, "\r\n\r\n");
    if (write(fd, request.data(), request.size()) > 0) {
      char buffer[65536];
      ssize_t n = 0;
      while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
        answer.append(buffer, n);
      }
    }
  }
  close(fd);
  const size_t body = answer.find("\r\n\r\n");
  return body == std::string::npos ? "" : answer.substr(body + 4);
}

}  // namespace

ModelConfig SlowConfig() {
  ModelConfig config = FashionConfig();
  config.width = 16;
  config.hidden = 16;
  config.context = 8;
  config.layers = 16;
  config.experts = 96;
  return config;
}

std::vector<std::string> ManyClasses() {
  std::vector<std::string> classes;
  for (int i = 0; i < 1000; ++i) classes.push_back(absl::StrCat(i));
  return classes;
}

MetricsPage::MetricsPage(std::string text) : text_(std::move(text)) {
  for (const absl::string_view line : absl::StrSplit(text_, '\n')) {
    const size_t space = line.rfind(' ');
    double value = 0;
    if (line.empty() || line[0] == '#' || space == absl::string_view::npos ||
        !absl::SimpleAtod(line.substr(space + 1), &value)) {
      continue;
    }
    series_[std::string(line.substr(0, space))] = value;
  }
}

std::vector<const double*> MetricsPage::Find(
    absl::string_view name, const std::vector<std::string>& labels) const {
  std::vector<const double*> found;
  for (const auto& [series, value] : series_) {
    const size_t brace = series.find('{');
    if (absl::string_view(series).substr(0, brace) != name) continue;
    bool all = true;
    for (const std::string& label : labels) {
      all = all && absl::StrContains(series, label);
    }
    if (all) found.push_back(&value);
  }
  return found;
}

double MetricsPage::Sum(absl::string_view name,
                        const std::vector<std::string>& labels) const {
  double sum = 0;
  for (const double* value : Find(name, labels)) sum += *value;
  return sum;
}

bool MetricsPage::Has(absl::string_view name,
                      const std::vector<std::string>& labels) const {
  return !Find(name, labels).empty();
}

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(
    const std::vector<std::string>& flags) {
  std::unique_ptr<ServerProcess> server(new ServerProcess);
  RETURN_IF_ERROR(WriteToRepository(server->root_.path(), kQuick, 1,
                                    RandomModel(FashionConfig(), 1)));
  RETURN_IF_ERROR(WriteToRepository(server->root_.path(), kSlow, 1,
                                    RandomModel(SlowConfig(), 2)));
  RETURN_IF_ERROR(server->Run(server->root_.path(), flags));
  return server;
}

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::StartOn(
    const std::string& repository, const std::vector<std::string>& flags) {
  std::unique_ptr<ServerProcess> server(new ServerProcess);
  RETURN_IF_ERROR(server->Run(repository, flags));
  return server;
}

absl::Status ServerProcess::Run(const std::string& repository,
                                const std::vector<std::string>& flags) {
  std::vector<std::string> args = {
      MRE_SERVER_BINARY, absl::StrCat("--model_repository=", repository),
      "--grpc_port=0", "--metrics_port=0"};
  args.insert(args.end(), flags.begin(), flags.end());
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  argv.push_back(nullptr);

  int out[2];
  if (pipe(out) != 0) return absl::InternalError("pipe");
  pid_ = fork();
  if (pid_ == 0) {
    dup2(out[1], STDOUT_FILENO);
    close(out[0]);
    close(out[1]);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(out[1]);
  const std::string line = ReadLine(out[0], absl::Now() + absl::Seconds(60));
  close(out[0]);
  grpc_ = Field(line, "grpc");
  metrics_ = Field(line, "metrics");
  if (!absl::StartsWith(line, "mre-server ready ") || grpc_.empty() ||
      metrics_.empty()) {
    return absl::InternalError(absl::StrCat("no ready line, got: ", line));
  }
  return absl::OkStatus();
}

ServerProcess::~ServerProcess() {
  if (pid_ <= 0) return;
  // A server that crashed, or cannot end, fails the test that it served.
  Signal(SIGTERM);
  const int code = Wait();
  EXPECT_EQ(code, 0) << "mre-server did not end well";
}

std::unique_ptr<Client> ServerProcess::Connect() const {
  ClientOptions options;
  options.target = grpc_;
  options.max_message_bytes = 128 << 20;
  auto client = Client::Connect(options);
  return client.ok() ? *std::move(client) : nullptr;
}

MetricsPage ServerProcess::Metrics() const {
  return MetricsPage(HttpGet(metrics_, "/metrics"));
}

void ServerProcess::Signal(int number) const { kill(pid_, number); }

int ServerProcess::Wait() {
  int status = 0;
  if (pid_ <= 0 || waitpid(pid_, &status, 0) != pid_) return -1;
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int64_t ServerProcess::MemoryBytes() const {
  std::ifstream file(absl::StrCat("/proc/", pid_, "/statm"));
  int64_t size = 0;
  int64_t resident = 0;
  file >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

std::vector<int> ServerProcess::ThreadNices() const {
  std::vector<int> nices;
  for (const auto& task : std::filesystem::directory_iterator(
           absl::StrCat("/proc/", pid_, "/task"))) {
    std::ifstream file(task.path() / "stat");
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    // The name, which ends with the last ')', may hold anything; nice is the
    // 17th field after it.
    const std::vector<std::string> fields =
        absl::StrSplit(text.substr(text.rfind(')') + 2), ' ');
    if (fields.size() > 16) nices.push_back(std::stoi(fields[16]));
  }
  return nices;
}

bool ServerProcess::AwaitNoRows(absl::Duration limit) const {
  const absl::Time deadline = absl::Now() + limit;
  do {
    const MetricsPage page = Metrics();
    if (page.Has("mre_active_rows") && page.Sum("mre_active_rows") == 0 &&
        page.Sum("mre_queued_rows") == 0) {
      return true;
    }
    absl::SleepFor(absl::Milliseconds(2));
  } while (absl::Now() < deadline);
  return false;
}

v1::PredictRequest MakeRequest(absl::string_view model, int64_t rows,
                               uint64_t seed) {
  v1::PredictRequest request;
  request.set_model_name(std::string(model));
  v1::Tensor* input = request.mutable_input();
  input->set_datatype(v1::DATA_TYPE_UINT8);
  for (const int64_t dim : {rows, int64_t{28}, int64_t{28}, int64_t{1}}) {
    input->add_shape(dim);
  }
  Rng rng(seed);
  for (int64_t i = 0; i < rows * 28 * 28; ++i) {
    input->mutable_data()->push_back(static_cast<char>(rng.Below(256)));
  }
  return request;
}

absl::StatusOr<std::vector<v1::Prediction>> Collect(
    const Client& client, const v1::PredictRequest& request) {
  std::vector<v1::Prediction> all;
  RETURN_IF_ERROR(client.Stream(request, [&](const v1::PredictUpdate& update) {
    all.insert(all.end(), update.predictions().begin(),
               update.predictions().end());
    return true;
  }));
  return all;
}

}  // namespace mre
