// Package clients points Microsoft's own Go libraries at a running csp-simulator, unchanged: what they send must be
// understood, and what they are answered must satisfy them.
//
// Environment: CSP_SIMULATOR, the simulator's https address; CSP_SIMULATOR_CA, the file with its CA certificate.
// The partner's application allows public client flows, and there is the customer below.
package clients

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/arm"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/authorization/armauthorization/v2"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/billing/armbilling"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/billingbenefits/armbillingbenefits"
	"github.com/Azure/azure-sdk-for-go/sdk/resourcemanager/reservations/armreservations"
)

// The partner that every simulator has, and the customer of this one.
const (
	partner      = "aaaa0000-2222-4b22-9b22-000000000002"
	client       = "11112222-3333-4444-8555-666677778888"
	secret       = "simulated-client-secret"
	customer     = "c0000000-0000-4000-8000-000000000000"
	subscription = "a0000000-0000-4000-8000-000000000000"
	owner        = "d0000000-0000-4000-8000-000000000000"
	partnerUser  = "operator@contosopartner.onmicrosoft.com"
	ownerRole    = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
	partnerScope = "https://api.partnercenter.microsoft.com/.default"
	// Nothing here needs longer, however busy the machine is.
	patience = 2 * time.Minute
)

// simulator is the server under test, as Microsoft's libraries are told of it.
type simulator struct {
	address string
	options azcore.ClientOptions
	http    *http.Client
}

func newSimulator(t *testing.T) simulator {
	t.Helper()
	address := strings.TrimSuffix(os.Getenv("CSP_SIMULATOR"), "/")
	if address == "" {
		t.Fatal("CSP_SIMULATOR is not set: run these tests by `cargo test --test contract`")
	}
	pem, err := os.ReadFile(os.Getenv("CSP_SIMULATOR_CA"))
	if err != nil {
		t.Fatalf("the simulator's CA certificate: %v", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("CSP_SIMULATOR_CA holds no certificate")
	}
	transport := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	return simulator{
		address: address,
		http:    transport,
		options: azcore.ClientOptions{
			Transport: transport,
			Cloud: cloud.Configuration{
				ActiveDirectoryAuthorityHost: address + "/",
				Services: map[cloud.ServiceName]cloud.ServiceConfiguration{
					cloud.ResourceManager: {Endpoint: address, Audience: "https://management.azure.com/"},
				},
			},
		},
	}
}

func (s simulator) arm() *arm.ClientOptions {
	return &arm.ClientOptions{ClientOptions: s.options, DisableRPRegistration: true}
}

// control scripts the simulator.
func (s simulator) control(t *testing.T, method, path string, body any) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(method, s.address+"/simulator"+path, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	response, err := s.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if answer, _ := io.ReadAll(response.Body); response.StatusCode >= 300 {
		t.Fatalf("%s %s: %s %s", method, path, response.Status, answer)
	}
}

// user signs the partner's user in to a tenant by device code, as the libraries do it on a terminal.
func (s simulator) user(t *testing.T, tenant string) azcore.TokenCredential {
	t.Helper()
	credential, err := azidentity.NewDeviceCodeCredential(&azidentity.DeviceCodeCredentialOptions{
		ClientOptions:            s.options,
		ClientID:                 client,
		TenantID:                 tenant,
		DisableInstanceDiscovery: true,
		UserPrompt: func(_ context.Context, message azidentity.DeviceCodeMessage) error {
			s.control(t, http.MethodPost, "/device-codes/"+message.UserCode+"/approve", map[string]string{"user": partnerUser})
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return credential
}

func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func TestAClientSecretGetsATokenThatPartnerCenterAccepts(t *testing.T) {
	s := newSimulator(t)
	credential, err := azidentity.NewClientSecretCredential(partner, client, secret, &azidentity.ClientSecretCredentialOptions{
		ClientOptions: s.options, DisableInstanceDiscovery: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	token, err := credential.GetToken(patient(t), policy.TokenRequestOptions{Scopes: []string{partnerScope}})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodGet, s.address+"/v1/customers/"+customer, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token.Token)
	response, err := s.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("%s", response.Status)
	}
}

func TestAWrongSecretIsAnAuthenticationFailureWithItsNumber(t *testing.T) {
	s := newSimulator(t)
	credential, err := azidentity.NewClientSecretCredential(partner, client, "wrong", &azidentity.ClientSecretCredentialOptions{
		ClientOptions: s.options, DisableInstanceDiscovery: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = credential.GetToken(patient(t), policy.TokenRequestOptions{Scopes: []string{partnerScope}})
	var failed *azidentity.AuthenticationFailedError
	if !errors.As(err, &failed) || !strings.Contains(failed.Error(), "AADSTS7000215") {
		t.Fatalf("not an AuthenticationFailedError with AADSTS7000215: %v", err)
	}
	if failed.RawResponse.StatusCode != http.StatusUnauthorized {
		t.Fatalf("a wrong secret is 401, not %s", failed.RawResponse.Status)
	}
}

func TestRoleAssignmentsAreListedCreatedAndDeleted(t *testing.T) {
	s, ctx := newSimulator(t), patient(t)
	assignments, err := armauthorization.NewRoleAssignmentsClient(subscription, s.user(t, customer), s.arm())
	if err != nil {
		t.Fatal(err)
	}
	scope := "/subscriptions/" + subscription
	// The library puts the filter into the address as it is.
	filter := "atScope()+and+assignedTo('" + owner + "')"
	pager := assignments.NewListForSubscriptionPager(&armauthorization.RoleAssignmentsClientListForSubscriptionOptions{Filter: &filter})
	found := 0
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, assignment := range page.Value {
			if *assignment.Properties.PrincipalID != owner || !strings.HasSuffix(*assignment.Properties.RoleDefinitionID, ownerRole) {
				t.Errorf("not the owner's assignment: %+v", *assignment.Properties)
			}
			found++
		}
	}
	if found != 1 {
		t.Fatalf("%d assignments instead of the owner's one", found)
	}

	const name = "0a0b0c0d-0000-4000-8000-000000000001"
	reader := armauthorization.RoleAssignmentCreateParameters{Properties: &armauthorization.RoleAssignmentProperties{
		PrincipalID:      to.Ptr(owner),
		PrincipalType:    to.Ptr(armauthorization.PrincipalTypeUser),
		RoleDefinitionID: to.Ptr(scope + "/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"),
	}}
	created, err := assignments.Create(ctx, scope, name, reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if *created.Name != name || *created.Properties.PrincipalID != owner {
		t.Errorf("created something else: %+v", created.RoleAssignment)
	}
	if _, err := assignments.Delete(ctx, scope, name, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := assignments.Delete(ctx, scope, name, nil); err != nil {
		t.Fatalf("deleting what is gone is 204: %v", err)
	}
}

func TestWhatTheCustomerBoughtIsListed(t *testing.T) {
	s, ctx := newSimulator(t), patient(t)
	for _, kind := range []string{"reservation", "savingsPlan"} {
		s.control(t, http.MethodPost, "/customers/"+customer+"/purchases", map[string]string{"kind": kind, "buyer": "customer"})
	}
	user := s.user(t, customer)
	reservations, err := armreservations.NewReservationClient(user, s.arm())
	if err != nil {
		t.Fatal(err)
	}
	page, err := reservations.NewListAllPager(nil).NextPage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Value) != 1 || page.Value[0].Properties.ExpiryDate == nil {
		t.Errorf("not one reservation with its dates: %+v", page.Value)
	}
	plans, err := armbillingbenefits.NewSavingsPlanClient(nil, user, s.arm())
	if err != nil {
		t.Fatal(err)
	}
	planPage, err := plans.NewListAllPager(nil).NextPage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(planPage.Value) != 1 || planPage.Value[0].Properties.Commitment == nil {
		t.Errorf("not one savings plan with its commitment: %+v", planPage.Value)
	}
}

func TestTheCustomersCostPolicyIsReadAndWritten(t *testing.T) {
	s, ctx := newSimulator(t), patient(t)
	user := s.user(t, partner)
	accounts, err := armbilling.NewAccountsClient(user, s.arm())
	if err != nil {
		t.Fatal(err)
	}
	page, err := accounts.NewListPager(nil).NextPage(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(page.Value) != 1 || *page.Value[0].Properties.AgreementType != armbilling.AgreementTypeMicrosoftPartnerAgreement {
		t.Fatalf("not the partner's one account: %+v", page.Value)
	}
	policies, err := armbilling.NewPoliciesClient(user, s.arm())
	if err != nil {
		t.Fatal(err)
	}
	allowed := armbilling.CustomerPolicy{Properties: &armbilling.CustomerPolicyProperties{ViewCharges: to.Ptr(armbilling.ViewChargesAllowed)}}
	if _, err := policies.UpdateCustomer(ctx, *page.Value[0].Name, customer, allowed, nil); err != nil {
		t.Fatal(err)
	}
	read, err := policies.GetByCustomer(ctx, *page.Value[0].Name, customer, nil)
	if err != nil {
		t.Fatal(err)
	}
	if *read.Properties.ViewCharges != armbilling.ViewChargesAllowed {
		t.Errorf("it reads %s", *read.Properties.ViewCharges)
	}
}
