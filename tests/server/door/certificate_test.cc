#include "server/door/certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "tests/support/random_model.h"
#include "tests/support/status_matchers.h"

namespace mre {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const absl::Time kNow = absl::FromCivil(
    absl::CivilSecond(2026, 6, 15, 12, 0, 0), absl::UTCTimeZone());

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

std::string Text(BIO* bio) {
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

Key MakeKey() { return Key(EVP_EC_gen("P-256"), EVP_PKEY_free); }

std::string KeyPem(EVP_PKEY* key, const char* passphrase = nullptr) {
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_PKCS8PrivateKey(
      bio.get(), key, passphrase == nullptr ? nullptr : EVP_aes_256_cbc(),
      passphrase, passphrase == nullptr ? 0 : 6, nullptr, nullptr);
  return Text(bio.get());
}

std::string CertPem(EVP_PKEY* key, absl::Time begin, absl::Time end) {
  const std::unique_ptr<X509, decltype(&X509_free)> cert(X509_new(), X509_free);
  ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
  ASN1_TIME_set(X509_getm_notBefore(cert.get()), absl::ToTimeT(begin));
  ASN1_TIME_set(X509_getm_notAfter(cert.get()), absl::ToTimeT(end));
  X509_set_pubkey(cert.get(), key);
  X509_NAME* name = X509_get_subject_name(cert.get());
  X509_NAME_add_entry_by_txt(
      name, "CN", MBSTRING_ASC,
      reinterpret_cast<const unsigned char*>("example.com"), -1, -1, 0);
  X509_set_issuer_name(cert.get(), name);
  X509_sign(cert.get(), key, EVP_sha256());
  const Bio bio(BIO_new(BIO_s_mem()), BIO_free);
  PEM_write_bio_X509(bio.get(), cert.get());
  return Text(bio.get());
}

class CertificateTest : public ::testing::Test {
 protected:
  absl::StatusOr<Certificate> CheckPair(const std::string& cert,
                                        const std::string& key,
                                        const std::string& authority = "") {
    return CheckCertificate(
        {.name = "--tls_cert_file=c", .text = cert},
        {.name = "--tls_key_file=k", .text = key},
        {.name = "--tls_client_ca_file=a", .text = authority}, kNow);
  }

  const Key key_ = MakeKey();
  const std::string key_pem_ = KeyPem(key_.get());
  const std::string cert_pem_ =
      CertPem(key_.get(), kNow - absl::Hours(24), kNow + absl::Hours(24));
  const std::string expired_ =
      CertPem(key_.get(), kNow - absl::Hours(48), kNow - absl::Seconds(1));
  const std::string early_ =
      CertPem(key_.get(), kNow + absl::Seconds(1), kNow + absl::Hours(24));
};

TEST_F(CertificateTest, ReadsWhoItIsAndUntilWhen) {
  ASSERT_OK_AND_ASSIGN(const Certificate certificate,
                       CheckPair(cert_pem_, key_pem_, cert_pem_));
  EXPECT_EQ(certificate.subject, "CN=example.com");
  EXPECT_EQ(certificate.not_after, kNow + absl::Hours(24));
  EXPECT_EQ(certificate.cert_pem, cert_pem_);
  EXPECT_EQ(certificate.key_pem, key_pem_);
  EXPECT_EQ(certificate.client_ca_pem, cert_pem_);
  // Words around it are usual.
  EXPECT_THAT(CheckPair("Subject: me\n" + cert_pem_ + "\nthe end\n", key_pem_),
              IsOk());
}

TEST_F(CertificateTest, SaysWhatIsWrongWithWhichFile) {
  const auto fails = [](const absl::StatusOr<Certificate>& result,
                        const std::string& file, const std::string& words) {
    EXPECT_THAT(result, StatusIs(absl::StatusCode::kInvalidArgument,
                                 AllOf(HasSubstr(file), HasSubstr(words))));
  };
  fails(CheckPair("", key_pem_), "--tls_cert_file=c", "in PEM");
  fails(CheckPair("nonsense", key_pem_), "--tls_cert_file=c", "in PEM");
  fails(CheckPair(key_pem_, key_pem_), "--tls_cert_file=c", "in PEM");
  fails(CheckPair(cert_pem_.substr(0, cert_pem_.size() / 2), key_pem_),
        "--tls_cert_file=c", "certificate 1 of it does not parse");
  fails(CheckPair(cert_pem_ + "-----BEGIN CERTIFICATE-----\nAAAA\n", key_pem_),
        "--tls_cert_file=c", "certificate 2 of it does not parse");
  fails(CheckPair(expired_, key_pem_), "--tls_cert_file=c",
        "\"CN=example.com\" expired at 2026-06-15 11:59:59 UTC");
  fails(CheckPair(cert_pem_ + expired_, key_pem_), "--tls_cert_file=c",
        "expired");
  fails(CheckPair(early_, key_pem_), "--tls_cert_file=c",
        "valid only from 2026-06-15 12:00:01 UTC");
  fails(CheckPair(cert_pem_, ""), "--tls_key_file=k", "a private key in PEM");
  fails(CheckPair(cert_pem_, cert_pem_), "--tls_key_file=k", "a private key");
  fails(CheckPair(cert_pem_, KeyPem(MakeKey().get())), "--tls_key_file=k",
        "not that of the certificate in --tls_cert_file=c");
  fails(CheckPair(cert_pem_, KeyPem(key_.get(), "secret")), "--tls_key_file=k",
        "passphrase");
  fails(CheckPair(cert_pem_, key_pem_, "nonsense"), "--tls_client_ca_file=a",
        "in PEM");
  fails(CheckPair(cert_pem_, key_pem_, expired_), "--tls_client_ca_file=a",
        "expired");
}

TEST_F(CertificateTest, OneAuthorityOfSeveralMayHaveExpired) {
  EXPECT_THAT(CheckPair(cert_pem_, key_pem_, expired_ + cert_pem_), IsOk());
  EXPECT_THAT(CheckPair(cert_pem_, key_pem_, cert_pem_ + expired_), IsOk());
}

TEST_F(CertificateTest, RefusesAKeyThatIsTooShortToServe) {
  const Key rsa(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{512}),
                EVP_PKEY_free);
  const std::string cert =
      CertPem(rsa.get(), kNow - absl::Hours(1), kNow + absl::Hours(1));
  EXPECT_THAT(CheckPair(cert, KeyPem(rsa.get())),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("--tls_cert_file=c"),
                             HasSubstr("key too small"))));
}

TEST_F(CertificateTest, ReadsTheFilesOfTheFlags) {
  const TempDir dir;
  DoorOptions options;
  options.tls_cert_file = dir.File("cert");
  options.tls_key_file = dir.File("key");
  ASSERT_THAT(WriteFileAtomically(options.tls_cert_file, cert_pem_), IsOk());
  EXPECT_THAT(
      ReadCertificate(options, kNow),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("--tls_key_file: ")));
  ASSERT_THAT(WriteFileAtomically(options.tls_key_file, key_pem_), IsOk());
  EXPECT_THAT(ReadCertificate(options, kNow), IsOk());
  options.tls_client_ca_file = dir.File("ca");
  ASSERT_THAT(WriteFileAtomically(options.tls_client_ca_file, ""), IsOk());
  EXPECT_THAT(ReadCertificate(options, kNow),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("--tls_client_ca_file")));
}

}  // namespace
}  // namespace mre
