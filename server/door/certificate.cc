#include "server/door/certificate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <climits>
#include <ctime>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "model/base/file.h"
#include "model/base/status_macros.h"

namespace mre {
namespace {

// A chain, or many authorities: whatever is larger is another file.
constexpr size_t kMaxPemBytes = 4 << 20;

template <auto free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using X509Ptr = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Context = std::unique_ptr<SSL_CTX, Freed<SSL_CTX_free>>;

template <typename... Texts>
absl::Status Wrong(const PemText& pem, const Texts&... texts) {
  return absl::InvalidArgumentError(absl::StrCat(pem.name, ": ", texts...));
}

// OpenSSL's reason for what has just failed, and forgets it.
std::string Reason() {
  const unsigned long code = ERR_peek_last_error();  // NOLINT(runtime/int)
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown reason" : reason;
}

Bio Reader(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

absl::StatusOr<std::vector<X509Ptr>> ParseCertificates(const PemText& pem) {
  if (pem.text.size() > kMaxPemBytes) {
    return Wrong(pem, "expected at most ", kMaxPemBytes, " bytes");
  }
  std::vector<X509Ptr> certificates;
  const Bio bio = Reader(pem.text);
  while (X509Ptr one{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    certificates.push_back(std::move(one));
  }
  // The end of the text is an error of its own.
  const bool ended =
      ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = Reason();
  if (certificates.empty() && ended) {
    return Wrong(pem, "expected a certificate in PEM, -----BEGIN CERTIFICATE-",
                 "----");
  }
  if (!ended) {
    return Wrong(pem, "certificate ", certificates.size() + 1,
                 " of it does not parse: ", reason);
  }
  return certificates;
}

absl::StatusOr<Key> ParseKey(const PemText& pem) {
  if (pem.text.size() > kMaxPemBytes) {
    return Wrong(pem, "expected at most ", kMaxPemBytes, " bytes");
  }
  bool asked = false;
  // Otherwise OpenSSL would ask the terminal.
  const auto no_passphrase = [](char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
  };
  const Bio bio = Reader(pem.text);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, &asked));
  const std::string reason = key == nullptr ? Reason() : "";
  if (key != nullptr) return key;
  if (asked) {
    return Wrong(pem, "the key is encrypted; expected one without passphrase");
  }
  return Wrong(pem, "expected a private key in PEM: ", reason);
}

absl::Time FromAsn1(const ASN1_TIME* time) {
  std::tm parts = {};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTimeT(timegm(&parts));
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", time, absl::UTCTimeZone());
}

std::string Subject(const X509& certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(&certificate), 0,
                     XN_FLAG_RFC2253);
  char* data = nullptr;
  const auto size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

absl::Status CheckDates(const PemText& pem, const X509& certificate,
                        absl::Time now) {
  const absl::Time begin = FromAsn1(X509_get0_notBefore(&certificate));
  const absl::Time end = FromAsn1(X509_get0_notAfter(&certificate));
  if (now < begin) {
    return Wrong(pem, "the certificate of \"", Subject(certificate),
                 "\" is valid only from ", TimeText(begin), " on");
  }
  if (now >= end) {
    return Wrong(pem, "the certificate of \"", Subject(certificate),
                 "\" expired at ", TimeText(end));
  }
  return absl::OkStatus();
}

// What gRPC will do with the two, which finds what else OpenSSL minds, such as
// a key that is too short.
absl::Status TryToServe(const PemText& pem, X509& certificate, EVP_PKEY& key) {
  const Context context(SSL_CTX_new(TLS_server_method()));
  if (context == nullptr ||
      SSL_CTX_use_certificate(context.get(), &certificate) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), &key) != 1) {
    return Wrong(pem, "OpenSSL does not serve it: ", Reason());
  }
  return absl::OkStatus();
}

// Clients with certificates of an authority that has expired are refused; that
// is for those of the file that are left to serve.
absl::Status CheckAuthorities(const PemText& pem, absl::Time now) {
  ASSIGN_OR_RETURN(const std::vector<X509Ptr> authorities,
                   ParseCertificates(pem));
  absl::Status first;
  for (const X509Ptr& authority : authorities) {
    absl::Status dates = CheckDates(pem, *authority, now);
    if (dates.ok()) return dates;
    first.Update(dates);
  }
  return first;
}

absl::StatusOr<PemText> ReadPem(absl::string_view flag,
                                const std::string& path) {
  PemText pem{.name = absl::StrCat(flag, "=", path), .text = ""};
  if (path.empty()) return pem;
  auto text = ReadFile(path);
  if (!text.ok()) {
    return absl::Status(text.status().code(),
                        absl::StrCat(flag, ": ", text.status().message()));
  }
  pem.text = *std::move(text);
  return pem;
}

}  // namespace

absl::StatusOr<Certificate> CheckCertificate(PemText cert, PemText key,
                                             PemText client_ca,
                                             absl::Time now) {
  ERR_clear_error();
  ASSIGN_OR_RETURN(const std::vector<X509Ptr> chain, ParseCertificates(cert));
  ASSIGN_OR_RETURN(const Key private_key, ParseKey(key));
  for (const X509Ptr& one : chain) {
    RETURN_IF_ERROR(CheckDates(cert, *one, now));
  }
  if (X509_check_private_key(chain[0].get(), private_key.get()) != 1) {
    ERR_clear_error();
    return Wrong(key, "the key is not that of the certificate in ", cert.name);
  }
  RETURN_IF_ERROR(TryToServe(cert, *chain[0], *private_key));
  if (!client_ca.text.empty()) {
    RETURN_IF_ERROR(CheckAuthorities(client_ca, now));
  }
  return Certificate{.cert_pem = std::move(cert.text),
                     .key_pem = std::move(key.text),
                     .client_ca_pem = std::move(client_ca.text),
                     .subject = Subject(*chain[0]),
                     .not_after = FromAsn1(X509_get0_notAfter(chain[0].get()))};
}

absl::StatusOr<Certificate> ReadCertificate(const DoorOptions& options,
                                            absl::Time now) {
  ASSIGN_OR_RETURN(PemText cert,
                   ReadPem("--tls_cert_file", options.tls_cert_file));
  ASSIGN_OR_RETURN(PemText key,
                   ReadPem("--tls_key_file", options.tls_key_file));
  ASSIGN_OR_RETURN(PemText client_ca,
                   ReadPem("--tls_client_ca_file", options.tls_client_ca_file));
  if (!options.tls_client_ca_file.empty() && client_ca.text.empty()) {
    return Wrong(client_ca, "the file is empty");
  }
  return CheckCertificate(std::move(cert), std::move(key), std::move(client_ca),
                          now);
}

}  // namespace mre
