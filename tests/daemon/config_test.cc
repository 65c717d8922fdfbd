#include "daemon/config.h"

#include <gmock/gmock.h>

#include "tests/daemon/scratch.h"

namespace traind {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

Surroundings here(const Scratch& scratch) {
  Surroundings surroundings;
  surroundings.working_folder = scratch.path();
  surroundings.executable_folder = scratch.path();
  surroundings.host = "gpu1";
  write_file(scratch / "traind-worker", "");
  std::filesystem::permissions(scratch / "traind-worker", std::filesystem::perms::owner_all);
  return surroundings;
}

struct BadFile {
  const char* text;
  const char* says;
};

class BadConfig : public ::testing::TestWithParam<BadFile> {};

TEST_P(BadConfig, IsRefusedWithFileLineAndReason) {
  const Scratch scratch;
  const std::string path = scratch / "traind.toml";
  write_file(path, GetParam().text);
  try {
    load_config(path, "", here(scratch));
    FAIL() << "accepted: " << GetParam().text;
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kConfig);
    EXPECT_THAT(error.what(), AllOf(HasSubstr(path + ":"), HasSubstr(GetParam().says)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Files, BadConfig,
    ::testing::Values(
        BadFile{"[listen]\ntcp = \"0.0.0.0:7433\"\n", ":2: \"0.0.0.0:7433\" is not loopback"},
        BadFile{"[listen]\ntcp = \"localhost:7433\"\n", "is not loopback"},
        BadFile{"[listen]\ntcp = \"127.0.0.1:99999\"\n", "\"99999\" is not a port"},
        BadFile{"[listen]\ntcp = \"127.0.0.1\"\n", "is not loopback"},
        BadFile{"[listen]\ntcp = \"[::1]:x\"\n", "is not a port"},
        BadFile{"\n[mail]\ntransprot = \"smtp\"\n", ":3: "},
        BadFile{"\n[mail]\ntransprot = \"smtp\"\n", "transport"},
        BadFile{"[mail]\ntransport = \"pigeon\"\n", ":2: "},
        BadFile{"[mail]\ntransport = \"smtp\"\nto = [\"a@b.example\"]\n", "needs a host"},
        BadFile{"[mail]\ntransport = \"smtp\"\nhost = \"mail.example\"\n", "at least one address"},
        BadFile{"[mail]\nto = [\"a@b.example\\nRCPT TO:<x@y>\"]\n", ":2: "},
        BadFile{"[mail]\nto = [\"a@b.example\", \"a@b.example\"]\n", "stands there twice"},
        BadFile{"[mail]\nretry_first_seconds = 60\nretry_longest_seconds = 30\n", ":3: "},
        BadFile{"[mail]\ntransport = \"smtp\"\nto = [\"a@b.example\"]\nhost = \"m.example\"\n"
                "user = \"u\"\n",
                ":5: a user needs password_file"},
        BadFile{"[mail]\ntransport = \"smtp\"\nto = [\"a@b.example\"]\nhost = \"m.example\"\n"
                "tls = \"none\"\n",
                ":4: "},
        BadFile{"[worker]\nmax_restarts = -1\n", ":2: "},
        BadFile{"[worker]\nstall_timeout_seconds = \"long\"\n", ":2: "},
        BadFile{"[worker]\nprogram = \"/nowhere/traind-worker\"\n", ":2: /nowhere/traind-worker"},
        BadFile{"[log]\nlevel = \"loud\"\n", ":2: "}, BadFile{"state_folder = 3\n", ":1: "},
        BadFile{"state_folder = \n", ":1: "}));

TEST(Config, DefaultsComeFromSystemdsFolders) {
  const Scratch scratch;
  Surroundings surroundings = here(scratch);
  surroundings.state_directory = "/var/lib/traind";
  surroundings.runtime_directory = "/run/traind";
  write_file(scratch / "credentials/traind.smtp-password", "secret");
  surroundings.credentials_directory = scratch / "credentials";
  write_file(scratch / "traind.toml", "[mail]\nuser = \"u\"\n");
  const DaemonConfig config = load_config(scratch / "traind.toml", "", surroundings);
  EXPECT_EQ(config.state_folder, "/var/lib/traind");
  EXPECT_EQ(config.listen.socket, "/run/traind/traind.sock");
  EXPECT_EQ(config.mail.folder, "/var/lib/traind/mail");
  EXPECT_EQ(config.mail.smtp.password_file, scratch / "credentials/traind.smtp-password");
  EXPECT_EQ(config.worker.program, scratch / "traind-worker");
  EXPECT_EQ(config.mail.identity.from, "traind@gpu1");
}

TEST(Config, WithoutSystemdStateLiesInTheWorkingFolder) {
  const Scratch scratch;
  const DaemonConfig config = load_config("", "", here(scratch));
  EXPECT_EQ(config.state_folder, scratch / "traind-state");
  EXPECT_EQ(config.listen.socket, scratch / "traind-state/traind.sock");
  EXPECT_EQ(load_config("", "elsewhere", here(scratch)).state_folder, scratch / "elsewhere");
}

TEST(Config, RelativePathsAreTakenFromTheFilesFolder) {
  const Scratch scratch;
  write_file(scratch / "etc/traind.toml", "state_folder = \"../state\"\n");
  const DaemonConfig config = load_config(scratch / "etc/traind.toml", "", here(scratch));
  EXPECT_EQ(config.state_folder, scratch / "state");
}

TEST(Config, RefusesASocketPathThatDoesNotFit) {
  const Scratch scratch;
  EXPECT_THROW(load_config("", std::string(120, 'x'), here(scratch)), Error);
}

TEST(Config, SaysWhenThereIsNoWorker) {
  const Scratch scratch;
  Surroundings surroundings = here(scratch);
  std::filesystem::remove(scratch / "traind-worker");
  try {
    load_config("", "", surroundings);
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("traind-worker is neither beside traind nor in PATH"));
  }
}

TEST(Config, PrintedFileGivesTheSameConfiguration) {
  const Scratch scratch;
  write_file(scratch / "traind.toml",
             "[mail]\ntransport = \"smtp\"\nto = [\"a@b.example\"]\nhost = \"m.example\"\n"
             "[worker]\nstall_timeout_seconds = 12.5\n[listen]\ntcp = \"[::1]:7433\"\n");
  const std::string printed = to_toml(load_config(scratch / "traind.toml", "", here(scratch)));
  write_file(scratch / "printed.toml", printed);
  EXPECT_EQ(to_toml(load_config(scratch / "printed.toml", "", here(scratch))), printed);
  EXPECT_THAT(printed, HasSubstr("stall_timeout_seconds = 12.5\n"));
}

TEST(Config, PrintsTimesToTheMillisecond) {
  const Scratch scratch;
  write_file(scratch / "traind.toml", "[worker]\nstall_timeout_seconds = 1234.567\n");
  const std::string printed = to_toml(load_config(scratch / "traind.toml", "", here(scratch)));
  EXPECT_THAT(printed, HasSubstr("stall_timeout_seconds = 1234.567\n"));
}

TEST(Config, AFolderMayEndInASlash) {
  const Scratch scratch;
  write_file(scratch / "traind.toml", "state_folder = \"state/\"\n");
  const DaemonConfig config = load_config(scratch / "traind.toml", "", here(scratch));
  EXPECT_EQ(config.state_folder, scratch / "state");
  EXPECT_EQ(config.listen.socket, scratch / "state/traind.sock");
}

TEST(Config, PrintedFileNamesNoPasswordToAServerThatWantsNone) {
  const Scratch scratch;
  Surroundings surroundings = here(scratch);
  write_file(scratch / "credentials/traind.smtp-password", "secret");
  surroundings.credentials_directory = scratch / "credentials";
  write_file(scratch / "traind.toml",
             "[mail]\ntransport = \"smtp\"\nto = [\"a@b.example\"]\nhost = \"m.example\"\n");
  const std::string printed = to_toml(load_config(scratch / "traind.toml", "", surroundings));
  EXPECT_EQ(to_toml(parse_config(printed, scratch / "printed.toml", "", surroundings)), printed);
}

TEST(Config, AsksAboutFilesThroughItsSurroundingsAlone) {
  Surroundings surroundings;
  surroundings.executable_folder = "/nowhere";
  surroundings.working_folder = "/nowhere";
  surroundings.host = "gpu1";
  surroundings.may = [](const std::string&, int) { return true; };
  surroundings.check_password = [](const std::string& path) {
    throw Error(ErrorKind::kIo, "asked about " + path);
  };
  const char* text =
      "[mail]\ntransport = \"smtp\"\nto = [\"a@b.example\"]\nhost = \"m.example\"\n"
      "user = \"u\"\npassword_file = \"/etc/hostname\"\n[worker]\nprogram = \"/absent\"\n";
  try {
    parse_config(text, "/etc/traind.toml", "", surroundings);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "/etc/traind.toml:6: asked about /etc/hostname");
  }
}

}  // namespace
}  // namespace traind
